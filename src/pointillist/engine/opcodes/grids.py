"""The opcode between grids: from a coarse grid to the grid twice as fine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pointillist.engine.opcodes.base import Call, ChannelDependencies, opcode
from pointillist.engine.opcodes.sites import SiteOpcode, map_of
from pointillist.engine.program import FloatArray, Instruction, IntArray

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import FeatureMapBuffer, InterpreterState


@opcode
class Upsample(SiteOpcode):
    """Read a quarter of the channels of the coarse site that covers this one.

    The quarters belong, in order, to the coarse site itself and to the sites right of it, below it, and both.
    """

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        store, out = state.maps[map_of(instruction)], state.write(instruction, column)
        if column is None:
            return [partial(_row, state, store, instruction.scale, out)]
        right = column // instruction.scale % 2
        return [partial(_site, state, store.site(column), right, instruction.scale, out)]

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        assert instruction.output is not None
        # only the first quarter is read at the site that makes it; the others are read at later sites
        return needs.maps[map_of(instruction)][: instruction.output.channels]


def _row(state: InterpreterState, store: FeatureMapBuffer, scale: int, out: FloatArray) -> None:
    coarse, size = store.at(state.row, 0, 0), out.shape[-1]
    first = state.row // scale % 2 * 2 * size
    out[:, 0::2] = coarse[..., first : first + size]
    out[:, 1::2] = coarse[:, : out.shape[1] // 2, first + size : first + 2 * size]


def _site(state: InterpreterState, coarse: FloatArray, right: int, scale: int, out: FloatArray) -> None:
    size = out.shape[-1]
    first = (state.row // scale % 2 * 2 + right) * size
    out[:] = coarse[:, first : first + size]
