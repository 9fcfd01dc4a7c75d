"""Tensors of one run, and operations of opcodes on them: the opcodes, but for what torch computes in fewer kernels.

For integers only gathers and attention are replaced: all else computes with tensors as it does with arrays. Attention
is from all sites of a row at once, with later ones masked. The meaning of each opcode is in `engine/opcodes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.arithmetic import Shift, matmul, prepare
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.interpreter import Operations
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.attention import FACTOR_BITS, VALUE_BITS, cache_of
from pointillist.engine.opcodes.base import output_range
from pointillist.engine.program import Instruction, IntArray, KeyValueCache, Program
from pointillist.errors import EngineError

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


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), device=device)


def device_of(executor: str) -> torch.device:
    """Return where `torch`, `cuda` or `cuda:1` runs.

    Raises:
        EngineError: if there is no such GPU.
    """
    if executor == "torch":
        return torch.device("cpu")
    try:
        device = torch.device(executor)
    except RuntimeError as error:
        raise EngineError(f"`executor` (={executor!r}) must name a GPU by a number, such as 'cuda:1'.") from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        raise EngineError(f"`executor` (={executor!r}) needs a GPU, and torch finds {count}: use 'auto' or 'torch'.")
    return device if device.index is not None else torch.device("cuda", torch.cuda.current_device())


class DeviceConstants:
    """Constants of a program on a device. Each is moved there once, and cached with the program.

    CUDA has no matrix products of integers in torch. So they are taken in float64: float32 would be exact below 2^24,
    but torch may compute its products in TF32 or bfloat16 (`torch.set_float32_matmul_precision`).

    Args:
        program: in floating point or in integers.
        device: the device of the tensors.
    """

    def __init__(self, program: Program, device: torch.device) -> None:
        self.device = device
        self._program = program
        self._arrays: dict[int, tuple[NDArray[Any], Tensor]] = {}
        self._instructions: dict[Instruction, dict[str, Any]] = {}

    @classmethod
    def of(cls, program: Program, device: torch.device) -> DeviceConstants:
        result: DeviceConstants = program.cache.setdefault(f"torch {device}", cls(program, device))
        return result

    def array(self, numbers: NDArray[Any]) -> Tensor:
        """Return an array of the program: integers as int64."""
        if id(numbers) not in self._arrays:  # an id belongs to an array as long as it lives
            wide = numbers.astype(np.int64) if np.issubdtype(numbers.dtype, np.integer) else numbers
            self._arrays[id(numbers)] = numbers, upload(wide, self.device)
        return self._arrays[id(numbers)][1]

    def prepared(self, i: Instruction) -> dict[str, Any]:
        """Return the constants of an instruction as its opcode computes with them; see `prepare`."""
        if i not in self._instructions:
            self._instructions[i] = {name: self._prepare(name, array) for name, array in i.constants.items()}
        return self._instructions[i]

    def _prepare(self, name: str, array: NDArray[Any]) -> Any:
        if not self._program.is_integer:
            return self.array(array)
        constant = prepare(name, array)
        if isinstance(constant, Shift):
            return Shift(*(None if part is None else upload(part, self.device) for part in constant))
        tensor = upload(constant, self.device)
        return tensor.double() if tensor.is_floating_point() else tensor


class TorchBuffers(Buffers):
    """The tensors of one run.

    A KV cache is `[b, heads, 1 + sites, key and value]`. Its first slot holds zeros: the first site, which has no site
    before it, attends to it.

    Args:
        program: in floating point or in integers.
        batch, height, width: number and size of the images.
        inputs: conditions by name, `[b, 1, 1, c]` or `[b, h, w, c]`.
        device: the device of the tensors.
        held: see `Buffers`.
    """

    device_constants: DeviceConstants
    device: torch.device

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, NDArray[Any]],
        device: torch.device,
        held: Literal["image", "site"] = "image",
    ) -> None:
        self.device_constants, self.device = DeviceConstants.of(program, device), device
        self.dtype: torch.dtype = torch.from_numpy(np.zeros(0, program.dtype)).dtype
        tensors = {name: upload(array, device) for name, array in inputs.items()}
        super().__init__(program, batch, height, width, tensors, held=held)

    def zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def constant(self, numbers: NDArray[Any]) -> Tensor:
        return self.device_constants.array(numbers)

    def constants(self, i: Instruction) -> dict[str, Any]:
        return self.device_constants.prepared(i)

    def copy(self, array: Tensor) -> Tensor:
        return array.clone()

    @torch.inference_mode()
    def select(self, indices: IntArray) -> None:
        super().select(torch.as_tensor(indices, device=self.device))

    @torch.inference_mode()
    def restore(self, state: Any) -> None:
        super().restore(state)

    def new_cache(self, cache: KeyValueCache) -> Tensor:
        """Allocate a KV cache."""
        sites = 1 + self.height * self.width
        return self.zeros(self.batch, cache.num_heads, sites, cache.key_width + cache.value_width)

    def slots(self, row: int) -> Tensor:
        """Return the slots of a KV cache for the sites of a row, `[width]`."""
        return torch.arange(row * self.width + 1, (row + 1) * self.width + 1, device=self.device)

    def masked_slots(self, row: int) -> Tensor:
        """Return which slots up to the end of a row each of its sites may not attend to, `[width, slots]`.

        They are the site itself, later ones, and the slot of zeros.
        """
        sites = self.slots(row)
        masked = torch.arange((row + 1) * self.width, device=self.device) >= sites[:, None]
        masked[:, 0] = sites > 1
        return masked


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
    feature_map = i.held
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
FLOAT: Operations[TorchBuffers] = {**INTEGER, **dict.fromkeys(FORMULAS, elementwise), "LINEAR": linear, "SCAN": scan}


def operations_of(program: Program) -> Operations[TorchBuffers]:
    """Return what binds each instruction of a program."""
    return INTEGER if program.is_integer else FLOAT
