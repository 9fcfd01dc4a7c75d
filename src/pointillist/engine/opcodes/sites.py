"""Opcodes that read other sites and inputs, and store values for other sites."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pointillist.engine.opcodes.base import Call, ChannelDependencies, Opcode, copy_of, opcode
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, IntArray, Phase, Tap

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import InterpreterState


class SiteOpcode(Opcode):
    """Base class of opcodes that move numbers, always all channels, and compute nothing."""

    can_narrow = False

    def flops(self, instruction: Instruction) -> int:
        return 0


@opcode
class Store(SiteOpcode):
    """Store in a map: map[site] = x. It does nothing if x is computed in the map itself."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        (view,), feature_map = instruction.inputs, map_of(instruction)
        if column is None:
            return [copy_of(state.read(view, None), state.maps[feature_map].at(0, 0, 0))]
        if state.is_computed_in_map(view, feature_map):
            return []
        return [copy_of(state.read(view, column), state.maps[feature_map].site(column))]

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        result = needs.of(instruction.inputs[0])
        needs.maps[map_of(instruction)] = result
        return result


@opcode
class Gather(SiteOpcode):
    """Read the channels of a map at each tap, one tap after the other.

    At a site all taps lie on the current row, and adjacent taps are read in the map, without a copy. Taps count sites
    of the map's grid, which may be finer than that of the result.
    """

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        feature_map, taps = map_of(instruction), instruction.taps
        if column is None:
            step = instruction.scale // feature_map.scale
            return [partial(_gather_row, state, feature_map, taps, step, state.write(instruction, None))]
        columns = [dx for _, dx in taps]
        if columns == list(range(columns[0], columns[0] + len(columns))):
            state.alias_map(instruction, feature_map, columns[0])
            return []
        parts = np.split(state.write(instruction, column), len(columns), axis=-1)
        store = state.maps[feature_map]
        return [copy_of(store.site(column, dx), part) for part, dx in zip(parts, columns, strict=True)]

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        feature_map = map_of(instruction)
        elsewhere = np.zeros(feature_map.channels, np.int64)
        return np.concatenate([needs.maps[feature_map] if tap == (0, 0) else elsewhere for tap in instruction.taps])


@opcode
class Input(SiteOpcode):
    """Read a condition: the vector of the image, or the current row of the map."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        condition, out = state.inputs[instruction.key], state.write(instruction, column)
        if instruction.phase == Phase.IMAGE:
            return [partial(np.copyto, out, condition)]
        return [partial(_copy_row, state, condition, instruction.first_row, out)]


@opcode
class Constant(SiteOpcode):
    """Fill with one constant per channel, at every site."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        return [partial(np.copyto, state.write(instruction, column), instruction.constants["constant"])]


def map_of(instruction: Instruction) -> FeatureMap:
    """Return the feature map that an instruction reads or writes.

    Raises:
        ValueError: if it has none.
    """
    if instruction.map is None:
        raise ValueError(f"{instruction.opcode} without a map")
    return instruction.map


def _gather_row(
    state: InterpreterState, feature_map: FeatureMap, taps: tuple[Tap, ...], step: int, out: FloatArray
) -> None:
    store, size = state.maps[feature_map], feature_map.channels
    for i, (dy, dx) in enumerate(taps):
        np.copyto(out[..., i * size : (i + 1) * size], store.at(state.row, dy, dx)[:, ::step])


def _copy_row(state: InterpreterState, condition: FloatArray, depth: int, out: FloatArray) -> None:
    np.copyto(out, condition[:, state.row - depth])
