"""Opcodes that move numbers between sites, maps, caches and inputs, and compute nothing."""

from __future__ import annotations

from typing import ClassVar

from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.integer.numpy.moves import MOVES
from pointillist.engine.integer.opcodes.base import INTEGER_OPCODES, IntegerOpcode, integer_opcode
from pointillist.engine.program import Instruction, KeyValueCache
from pointillist.errors import EngineError


class Move(IntegerOpcode):
    """An operation of `numpy/moves.py`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        MOVES[self.name](frames, i, region)

    def problem(self, i: Instruction) -> str | None:
        if self.name in ("STORE", "GATHER", "UPSAMPLE", "STORE_KV"):
            return _map_problem(i, self.name)
        if i.output is None or len(i.inputs) != (self.name != "INPUT"):
            return "it lacks a value"
        if i.inputs and (i.inputs[0].is_narrow != i.output.is_narrow or i.inputs[0].channels != i.output.channels):
            return "it moves a value into another kind"
        return None


INTEGER_OPCODES.update({name: Move(name) for name in MOVES})


def _map_problem(i: Instruction, name: str) -> str | None:
    """Return what is wrong with an instruction that reads or writes a map."""
    if i.map is None or isinstance(i.map, KeyValueCache) != (name == "STORE_KV"):
        return "it lacks its map"
    stores = name in ("STORE", "STORE_KV")
    if (i.output is None) != stores or len(i.inputs) != stores or (not stores and not i.taps):
        return "it lacks a value, or taps"
    view = i.inputs[0] if i.output is None else i.output
    channels = {"GATHER": len(i.taps) * i.map.channels, "UPSAMPLE": i.map.channels // 4}.get(name, i.map.channels)
    if view.channels != channels or (name == "UPSAMPLE" and i.map.channels % 4):
        return "its map has other channels"
    if view.value.dtype != i.map.dtype:
        return "its map holds another kind of numbers"
    steps = {"GATHER": view.scale % i.map.scale == 0, "UPSAMPLE": i.map.scale == 2 * view.scale}
    return None if steps.get(name, view.scale == i.map.scale) else "its map lies on another grid"


@integer_opcode
class Constant(IntegerOpcode):
    """A constant for each channel, at every site."""

    constants: ClassVar = {"constant": "int32"}

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        assert i.output is not None
        frames.write(i.output, region, i.constants["constant"])

    def problem(self, i: Instruction) -> str | None:
        return "it makes one wide value" if i.output is None or i.inputs or i.output.is_narrow else None


@integer_opcode
class MapConstant(IntegerOpcode):
    """A constant for each channel and site, such as coordinates: for images of one size."""

    constants: ClassVar = {"numbers": "int32"}

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        assert i.output is not None
        numbers, depth = i.constants["numbers"], i.first_row
        check_map_size(i, frames.height, frames.width)
        rows = slice(region.rows.start - depth, region.rows.stop - depth, region.rows.step)
        frames.write(i.output, region, numbers[rows, region.columns])

    def problem(self, i: Instruction) -> str | None:
        return "it makes one wide value" if i.output is None or i.inputs or i.output.is_narrow else None


def check_map_size(i: Instruction, height: int, width: int) -> None:
    """Check that images have the size of a constant map.

    Raises:
        EngineError: naming both sizes.
    """
    own = i.constants["numbers"].shape[:2]
    if own != (height, width):
        raise EngineError(
            f"Images of {height}x{width} do not fit an integer program for {own[0]}x{own[1]}: resize them."
        )
