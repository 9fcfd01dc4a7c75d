"""Operations of opcodes on tensors: the opcodes themselves, but for what torch computes in fewer kernels.

For integers only gathers and attention are replaced: all else computes with tensors as it does with arrays. Attention
is from all sites of a row at once, with later ones masked. The meaning of each opcode is in `engine/opcodes`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine.arithmetic import matmul
from pointillist.engine.buffers import Call, Region
from pointillist.engine.interpreter import Operations
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.attention import FACTOR_BITS, VALUE_BITS, cache_of
from pointillist.engine.opcodes.base import output_range
from pointillist.engine.opcodes.sites import map_of
from pointillist.engine.program import Instruction, KeyValueCache, Program
from pointillist.engine.torch.buffers import TorchBuffers

LEAST = -(2**31)
"""Below every score of integers."""
FORMULAS: dict[str, Callable[..., Tensor]] = {
    "TANH": torch.tanh,
    "SIGMOID": torch.sigmoid,
    "GATE": lambda x, y: torch.tanh(x) * torch.sigmoid(y),
    "RELU": torch.relu,
    "ELU": F.elu,
    "GELU": lambda x: F.gelu(x, approximate="tanh"),
}


def elementwise(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Compute a formula of the inputs and the constants."""
    inputs = [*(buffers.read(view, region) for view in i.inputs), *buffers.constants(i).values()]
    return partial(_compute, FORMULAS[i.opcode], buffers.output(i, region), inputs)


def _compute(formula: Callable[..., Tensor], out: Tensor, inputs: list[Tensor]) -> None:
    out[...] = formula(*inputs)


def linear(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Multiply by a matrix: x @ matrix [+ bias] [+ start]."""
    x, *start = (buffers.read(view, region) for view in i.inputs)
    return partial(_linear, *buffers.constants(i).values(), x=x, start=start, out=buffers.output(i, region))


def _linear(matrix: Tensor, bias: Tensor | None = None, *, x: Tensor, start: list[Tensor], out: Tensor) -> None:
    rows = x.reshape(-1, x.shape[-1])
    result = rows @ matrix if bias is None else torch.addmm(bias, rows, matrix)
    result = result.view(*x.shape[:-1], -1)
    for term in start:
        result = result + term
    out[...] = result


def gather(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Read the channels of a map at each tap, all in one copy."""
    feature_map = map_of(i)
    sources = [buffers.sites(feature_map, region, tap, i.scale // feature_map.scale) for tap in i.taps]
    return partial(_gather, sources, buffers.output(i, region))


def _gather(sources: list[Tensor], out: Tensor) -> None:
    out[...] = torch.cat(sources, -1)


def scan(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Run an LSTM along the row, from the side of the tap; see `nn/functional/recurrence.py`."""
    x, ((_, side),) = buffers.read(i.inputs[0], region), i.taps
    columns = range(x.shape[2])[:: 1 if side < 0 else -1]
    c, out = buffers.constants(i), buffers.output(i, region)
    return partial(_scan, c["matrix"], c["hidden"], c["cell"], columns, x, out)


def _scan(matrix: Tensor, hidden: Tensor, cell: Tensor, columns: range, x: Tensor, out: Tensor) -> None:
    d = len(cell)
    for column in columns:
        pre = x[:, :, column] + hidden @ matrix
        gates = torch.sigmoid(pre[..., : 3 * d])
        cell = gates[..., d : 2 * d] * cell + gates[..., 2 * d :] * torch.tanh(pre[..., 3 * d :])
        out[:, :, column] = hidden = gates[..., :d] * torch.tanh(cell)


def store_kv(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Store keys and values of each site in its slot of the cache."""
    return partial(_store_kv, buffers, cache_of(i), region, buffers.read(i.inputs[0], region))


def _store_kv(buffers: TorchBuffers, cache: KeyValueCache, region: Region, x: Tensor) -> None:
    keys, values = x[..., : cache.key_channels], x[..., cache.key_channels :]
    for r, row in enumerate(_rows(buffers, region)):
        entries = torch.cat([by_head(keys[:, r], cache.num_heads), by_head(values[:, r], cache.num_heads)], -1)
        buffers.caches[cache].index_copy_(2, buffers.slots(row)[region.columns], entries)


def attend(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Attend to all earlier sites, head by head: from all sites of a row at once, with later ones masked."""
    query, out = buffers.read(i.inputs[0], region), buffers.output(i, region)
    return partial(_attend, buffers, i, region, query, out)


def _attend(buffers: TorchBuffers, i: Instruction, region: Region, query: Tensor, out: Tensor) -> None:
    cache = cache_of(i)
    heads = query.shape[-1] // cache.key_width
    for r, row in enumerate(_rows(buffers, region)):
        masked = buffers.masked_slots(row)[region.columns]  # [columns, slots]
        entries = buffers.caches[cache][:, i.head : i.head + heads, : masked.shape[1]]
        keys, values = entries.split([cache.key_width, cache.value_width], -1)
        queries = by_head(query[:, r], heads)  # [b, heads, columns, k]
        if buffers.program.is_integer:
            mean = integer_weighted_mean(buffers.constants(i), queries, keys, values, masked).clamp(*output_range(i))
        else:
            mean = weighted_mean(queries * cache.key_width**-0.5, keys, values, masked)
        out[:, r] = mean.transpose(1, 2).flatten(2)


def weighted_mean(queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
    """Return the means of values `[b, heads, columns, v]`, weighted by the softmax of queries and keys."""
    return (queries @ keys.mT).masked_fill(masked, -torch.inf).softmax(3) @ values


def integer_weighted_mean(c: dict[str, Any], queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
    """Return the means of values in integers.

    The products are taken in float64: scores stay below 2^53, and so do sums of values times weights, for as many
    sites as `MAX_SITES`.
    """
    scores = matmul(queries, keys.double().mT)  # [b, heads, columns, slots]
    best = scores.masked_fill(masked, LEAST).amax(3, keepdim=True)
    below = ((best - scores) * c["factor"]) >> FACTOR_BITS
    weights = c["exp"][below.clamp(0, len(c["exp"]) - 1)].masked_fill(masked, 0)
    total = weights.sum(3, keepdim=True)
    result: Tensor = ((matmul(weights, values.double()) << (VALUE_BITS + 1)) + total) // (2 * total)
    return result


def by_head(x: Tensor, heads: int) -> Tensor:
    """Reshape `[b, sites, heads * c]` to `[b, heads, sites, c]`."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def _rows(buffers: TorchBuffers, region: Region) -> range:
    rows = buffers.rows(region, 1)
    return range(rows.start, rows.stop, rows.step)


INTEGER: Operations[TorchBuffers] = {
    **{name: opcode.bind for name, opcode in OPCODES.items()},
    "GATHER": gather,
    "STORE_KV": store_kv,
    "ATTEND": attend,
}
FLOAT: Operations[TorchBuffers] = {
    **INTEGER,
    **dict.fromkeys(FORMULAS, elementwise),
    "LINEAR": linear,
    "SCAN": scan,
}


def operations_of(program: Program) -> Operations[TorchBuffers]:
    """Return what binds each instruction of a program."""
    return INTEGER if program.is_integer else FLOAT
