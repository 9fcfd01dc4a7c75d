"""Operations of opcodes on tensors: the opcodes themselves, but for what torch computes in fewer kernels.

For integers only gathers and attention are replaced: all else computes with tensors as it does with arrays. The meaning
of each opcode is in `engine/opcodes`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine.buffers import Call, Region
from pointillist.engine.numpy.schedule import Operations
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.sites import map_of
from pointillist.engine.program import Instruction, Program
from pointillist.engine.torch import attention
from pointillist.engine.torch.buffers import TorchBuffers

FORMULAS: dict[str, Callable[..., Tensor]] = {
    "ADD": torch.add,
    "MULTIPLY": torch.mul,
    "OFFSET": torch.add,
    "SCALE": torch.mul,
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


INTEGER: Operations[TorchBuffers] = {
    **{name: opcode.bind for name, opcode in OPCODES.items()},
    "GATHER": gather,
    "STORE_KV": attention.store_kv,
    "ATTEND": attention.attend,
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
