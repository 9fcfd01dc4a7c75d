"""Operations of opcodes on tensors: those of the opcodes themselves, but for what torch does in another way."""

from __future__ import annotations

from pointillist.engine.numpy.schedule import Operations
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Program
from pointillist.engine.torch import attention, functions
from pointillist.engine.torch.buffers import TorchBuffers

INTEGER: Operations[TorchBuffers] = {
    **{name: opcode.bind for name, opcode in OPCODES.items()},
    "GATHER": functions.gather,
    "STORE_KV": attention.store_kv,
    "ATTEND": attention.attend,
}
FLOAT: Operations[TorchBuffers] = {
    **INTEGER,
    **dict.fromkeys(functions.FORMULAS, functions.elementwise),
    "LINEAR": functions.linear,
    "SCAN": functions.scan,
}


def operations_of(program: Program) -> Operations[TorchBuffers]:
    """Return what binds each instruction of a program."""
    return INTEGER if program.is_integer else FLOAT
