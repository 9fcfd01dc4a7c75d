"""The distribution of a sub-pixel, with its tables on a device."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pointillist.engine.integer.program import IntegerProgram
from pointillist.engine.integer.torch.frames import Constants


@dataclass(frozen=True, eq=False)
class TorchHead:
    """An `IntegerHead` whose tables are tensors of int64; see there."""

    kind: str
    channels: int
    levels: int
    mixtures: int
    precision: int
    tables: dict[str, Tensor]

    @classmethod
    def of(cls, program: IntegerProgram, constants: Constants) -> TorchHead:
        """Return the head of a program."""
        head = program.head
        tables = {name: constants.array(table) for name, table in head.tables.items()}
        return cls(head.kind, head.channels, head.levels, head.mixtures, head.precision, tables)
