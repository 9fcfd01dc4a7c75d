"""Kernels of the opcodes in torch, over one column or a whole row. The meaning of an opcode is in `engine/opcodes`.

No kernel reads a number back from the device or branches on one, so that all of them can be captured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pointillist.engine.cuda.buffers import Buffers, FeatureMapRows
from pointillist.engine.opcodes.sites import map_of
from pointillist.engine.program import Instruction, KeyValueCache

Kernel = Callable[[Buffers, Instruction, int | None], None]
KERNELS: dict[str, Kernel] = {}


def run_per_image(buffers: Buffers) -> None:
    """Run the part of the program that runs once per image."""
    for instruction in buffers.program.per_image:
        KERNELS[instruction.opcode](buffers, instruction, None)


def run_part(buffers: Buffers, part: Sequence[Instruction], row: int, column: int | None) -> None:
    """Run a part of the program in a row: at a column, or at all columns together where column is None.

    Instructions on a coarse grid, or for one row parity, run at their own sites only. Instructions on a row above do
    not run before there is one.
    """
    for instruction in part:
        scale = instruction.scale
        if row % scale or (column or 0) % scale or row < instruction.first_row:
            continue
        if instruction.row_parity in (None, row % 2):
            KERNELS[instruction.opcode](buffers, instruction, column)


def kernel_for(*opcodes: str) -> Callable[[Kernel], Kernel]:
    """Register the kernel of opcodes."""

    def entered(kernel: Kernel) -> Kernel:
        KERNELS.update(dict.fromkeys(opcodes, kernel))
        return kernel

    return entered


def _gate(x: Tensor, y: Tensor, out: Tensor) -> None:
    torch.tanh(x, out=out)
    out.mul_(torch.sigmoid(y))


ELEMENTWISE: dict[str, Callable[..., object]] = {
    "COPY": lambda x, out: out.copy_(x),
    "ADD": torch.add,
    "MULTIPLY": torch.mul,
    "SHIFT": torch.add,
    "SCALE": torch.mul,
    "TANH": torch.tanh,
    "SIGMOID": torch.sigmoid,
    "GATE": _gate,
    "RELU": lambda x, out: torch.clamp(x, min=0, out=out),
    "ELU": torch.ops.aten.elu.out,
    "GELU": lambda x, out: torch.ops.aten.gelu.out(x, approximate="tanh", out=out),
}


@kernel_for(*ELEMENTWISE)
def _elementwise(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    inputs = [buffers.read(view, column) for view in instruction.inputs]
    constants = map(buffers.constant, instruction.constants)
    ELEMENTWISE[instruction.opcode](*inputs, *constants, out=buffers.write(instruction, column))


@kernel_for("LINEAR")
def _linear(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    x, *start = (buffers.read(view, column) for view in instruction.inputs)
    matrix, *bias = map(buffers.constant, instruction.constants)
    out = buffers.write(instruction, column)
    begin = start[0].expand_as(out).reshape(-1, out.shape[-1]) if start else (bias[0] if bias else None)
    rows = x.reshape(-1, x.shape[-1])  # copies only a row of runs of neighbours
    flat = out[:, 0] if out.shape[1] == 1 else out.view(-1, out.shape[-1]) if out.is_contiguous() else None
    result = _product(rows, matrix, begin, flat)
    if flat is None:
        out.copy_(result.view(out.shape))
    if start and bias:
        out.add_(bias[0])


def _product(rows: Tensor, matrix: Tensor, begin: Tensor | None, out: Tensor | None) -> Tensor:
    return torch.mm(rows, matrix, out=out) if begin is None else torch.addmm(begin, rows, matrix, out=out)


@kernel_for("INPUT", "CONSTANT")
def _aliased(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    """Do nothing: `Buffers` has the value."""


@kernel_for("STORE")
def _store(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    (view,), feature_map = instruction.inputs, map_of(instruction)
    if not buffers.is_computed_in_map(view, feature_map):
        _at(buffers.maps[feature_map], 0, 0, view.scale, column).copy_(buffers.read(view, column))


@kernel_for("GATHER")
def _gather(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    feature_map = buffers.maps[map_of(instruction)]
    if instruction.output is not None and not buffers.is_set(instruction.output.value):
        parts = [_at(feature_map, dy, dx, instruction.scale, column) for dy, dx in instruction.taps]
        torch.cat(parts, -1, out=buffers.write(instruction, column))


def _at(rows: FeatureMapRows, dy: int, dx: int, scale: int, column: int | None) -> Tensor:
    """Return the sites of a map at offset `(dy, dx)` from those of a grid, which may be coarser than the map's own."""
    sites = rows.at(dy, dx)
    if column is None:
        return sites[:, :: scale // rows.feature_map.scale]
    return sites[:, column // rows.feature_map.scale : column // rows.feature_map.scale + 1]


@kernel_for("SHIFT_DOWN")
def _shift_down(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    out = buffers.write(instruction, column)
    if buffers.row == instruction.first_row:
        out.zero_()
    else:
        out.copy_(buffers.read(instruction.inputs[0], column))


@kernel_for("UPSAMPLE")
def _upsample(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    coarse, out = buffers.maps[map_of(instruction)].at(0, 0), buffers.write(instruction, column)
    scale, size = instruction.scale, out.shape[-1]
    quarters = _split(coarse, 2, 2, size)[:, :, buffers.row // scale % 2]  # [b, coarse columns, 2, size]
    if column is None:
        out.copy_(quarters.reshape(len(out), -1, size)[:, : out.shape[1]])
    else:
        out.copy_(quarters[:, column // (2 * scale), column // scale % 2, None])


@kernel_for("SCAN")
def _scan(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    x, out = buffers.read(instruction.inputs[0], None), buffers.write(instruction, None)
    matrix, hidden, cell_state = map(buffers.constant, instruction.constants)
    ((_, side),) = instruction.taps
    d, state, columns = len(hidden), hidden.expand(len(x), -1), range(x.shape[1])
    for at in columns if side < 0 else columns[::-1]:
        pre = torch.addmm(x[:, at], state, matrix)
        gates = torch.sigmoid(pre[:, : 3 * d])
        cell_state = gates[:, d : 2 * d] * cell_state + gates[:, 2 * d :] * torch.tanh(pre[:, 3 * d :])
        state = torch.mul(gates[:, :d], torch.tanh(cell_state), out=out[:, at])


@kernel_for("STORE_KV")
def _store_kv(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    cache, x = _kv_cache(instruction), buffers.read(instruction.inputs[0], column)
    slots = buffers.slots if column is None else buffers.slots[column : column + 1]
    buffer = buffers.kv_caches[cache]
    buffer.keys.index_copy_(2, slots, _by_head(x[..., : cache.key_channels], cache.num_heads))
    buffer.values.index_copy_(2, slots, _by_head(x[..., cache.key_channels :], cache.num_heads))


@kernel_for("ATTEND")
def _attend(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    """Attend to the slots of all sites, with later ones masked: one shape at every site."""
    cache, query = _kv_cache(instruction), buffers.read(instruction.inputs[0], column)
    heads = query.shape[-1] // cache.key_width
    buffer, part = buffers.kv_caches[cache], slice(instruction.head, instruction.head + heads)
    queries = _by_head(query, heads).flatten(0, 1) * cache.key_width**-0.5
    scores = queries @ buffer.keys[part].flatten(0, 1).mT  # [heads * b, columns, slots]
    scores.masked_fill_(buffers.masked_slots if column is None else buffers.masked_slots[column], -torch.inf)
    results = scores.softmax(2) @ buffer.values[part].flatten(0, 1)
    out = buffers.write(instruction, column)
    _split(out, heads, cache.value_width).copy_(results.view(heads, -1, *results.shape[1:]).permute(1, 2, 0, 3))


@kernel_for("CROSS_ATTEND")
def _cross_attend(buffers: Buffers, instruction: Instruction, column: int | None) -> None:
    cache = _kv_cache(instruction)
    query, packed = (buffers.read(view, column) for view in instruction.inputs)
    heads, tokens = query.shape[-1] // cache.key_width, cache.length
    part = slice(instruction.head, instruction.head + heads)
    sizes = [tokens, tokens * cache.key_channels, tokens * (cache.channels - cache.key_channels)]
    bias, keys, values = torch.functional.split(packed[:, 0], sizes, 1)
    keys = _split(keys, cache.num_heads, cache.key_width, tokens)[:, part]  # [b, heads, k, tokens]
    values = _split(values, tokens, cache.num_heads, cache.value_width)[:, :, part].transpose(1, 2)
    queries = _by_head(query, heads).transpose(0, 1) * cache.key_width**-0.5  # [b, heads, columns, k]
    results = (queries @ keys + bias[:, None, None]).softmax(3) @ values
    _split(buffers.write(instruction, column), heads, cache.value_width).copy_(results.transpose(1, 2))


def _kv_cache(instruction: Instruction) -> KeyValueCache:
    if not isinstance(instruction.map, KeyValueCache):
        raise ValueError(f"{instruction.opcode} without a KV cache")
    return instruction.map


def _by_head(x: Tensor, heads: int) -> Tensor:
    """Reshape `[b, columns, heads * c]` to `[heads, b, columns, c]`."""
    return _split(x, heads, x.shape[-1] // heads).permute(2, 0, 1, 3)


def _split(x: Tensor, *sizes: int) -> Tensor:
    """Split the channels into several dimensions, without a copy."""
    return x.view(*x.shape[:-1], *sizes)
