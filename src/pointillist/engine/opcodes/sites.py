"""Opcodes that move numbers between sites, maps, caches, grids and inputs, and compute nothing.

They mean the same in floating point, in integers, and for tensors of torch.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np

from pointillist.engine.arithmetic import Array
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.opcodes.attention import cache_of
from pointillist.engine.opcodes.base import WIDE, ChannelDependencies, Opcode, numbers, opcode
from pointillist.engine.opcodes.elementwise import Elementwise
from pointillist.engine.program import LIMIT, Instruction, IntArray, KeyValueCache, Phase


class SiteOpcode(Opcode):
    """Base class of opcodes that move all channels of a value."""

    can_narrow = False

    def flops(self, instruction: Instruction) -> int:
        return 0

    def problem(self, i: Instruction) -> str | None:
        """Check an instruction that reads or writes a map; see `Opcode`."""
        if i.map is None or isinstance(i.map, KeyValueCache) != isinstance(self, StoreKv):
            return "its map is missing"
        stores = isinstance(self, (Store, StoreKv))
        if (i.output is None) != stores or len(i.inputs) != stores or (not stores and not i.taps):
            return "a value or its taps are missing"
        view = i.inputs[0] if i.output is None else i.output
        if view.channels != self.channels(i) or (isinstance(self, Upsample) and i.map.channels % 4):
            return "its map has other channels"
        if view.value.dtype != i.map.dtype:
            return "its map holds another kind of numbers"
        return None if self.on_grid(view.scale, i.map.scale) else "its map lies on another grid"

    def channels(self, i: Instruction) -> int:
        """Return the channels of the value that is moved to or from a map."""
        return i.held.channels

    def on_grid(self, scale: int, map_scale: int) -> bool:
        """Return True if a value and a map on grids of these spacings go together."""
        return scale == map_scale


class CopyOpcode(Opcode):
    """Base class of opcodes whose output is their input."""

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        return partial(_assign, buffers.output(i, region), buffers.read(i.inputs[0], region))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or len(i.inputs) != 1:
            return "a value is missing"
        if i.inputs[0].is_narrow != i.output.is_narrow or i.inputs[0].channels != i.output.channels:
            return "it moves a value into another kind"
        return None


@opcode
class Copy(CopyOpcode, Elementwise):
    """Copy: out = x.

    In the format: x
    """

    takes = makes = None


@opcode
class ShiftDown(CopyOpcode, SiteOpcode):
    """Shift down by one row: out = x of the row above, which is computed for this row; zero at the first row.

    In the format: x, whose depth is one more: the value of the row above; 0 in the first row
    """

    code = "COPY"
    # no instruction writes x before there is a row above


@opcode
class Store(SiteOpcode):
    """Store in a map: map[site] = x.

    In the format: map[site] = x; no output
    """

    code = "COPY"

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        return partial(_assign, buffers.sites(i.held, region), buffers.read(i.inputs[0], region))

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        result = needs.of(instruction.inputs[0])
        needs.maps[instruction.held] = result
        return result


@opcode
class Gather(SiteOpcode):
    """Read the channels of a map at each tap, one tap after the other.

    Taps count sites of the map's grid, which may be finer than the grid of the result.

    In the format: for each tap (dy, dx) in turn, all channels of the map at its row R q + dy, column C q + dx,
    where q is the scale of the output over the scale of the map
    """

    inputs = (0, 0)

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        feature_map, out = i.held, buffers.output(i, region)
        step, size = i.scale // feature_map.scale, feature_map.channels
        pairs = [
            (out[..., index * size : (index + 1) * size], buffers.sites(feature_map, region, tap, step))
            for index, tap in enumerate(i.taps)
        ]
        return partial(_assign_all, pairs)

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        feature_map = instruction.held
        elsewhere = np.zeros(feature_map.channels, np.int64)
        return np.concatenate([needs.maps[feature_map] if tap == (0, 0) else elsewhere for tap in instruction.taps])

    def channels(self, i: Instruction) -> int:
        return len(i.taps) * i.held.channels

    def on_grid(self, scale: int, map_scale: int) -> bool:
        return scale % map_scale == 0


@opcode
class Upsample(SiteOpcode):
    """Read a quarter of the channels of the coarse site that covers this one.

    The quarters belong, in order, to the coarse site itself and to the sites right of it, below it, and both.

    In the format: the map has twice the scale and four times the channels: channels p m + k of its site (R >>
    1, C >> 1), p = 2 (R mod 2) + (C mod 2)
    """

    inputs = (0, 0)

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        out, size = i.output, buffers.output(i, region).shape[-1]
        assert out is not None
        pairs: list[list[tuple[Array, Array]]] = [[], []]
        for row_parity in range(2):
            rows = _with_parity(region.rows, row_parity) if buffers.held == "image" else slice(row_parity, 2, 2)
            for parity in range(2):
                columns, first = _with_parity(region.columns, parity), (2 * row_parity + parity) * size
                if rows is not None and columns is not None:
                    coarse = buffers.sites(i.held, Region(_halved(rows), _halved(columns)))
                    target = buffers.read(out, Region(rows, columns))
                    pairs[row_parity].append((target, coarse[..., first : first + size]))
        if buffers.held == "image":
            return partial(_assign_all, pairs[0] + pairs[1])
        return partial(_upsample, buffers, i.scale, pairs)

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        # only the first quarter is read at the site that makes it; the others are read at later sites
        return needs.maps[instruction.held][: instruction.written.channels]

    def channels(self, i: Instruction) -> int:
        return i.held.channels // 4

    def on_grid(self, scale: int, map_scale: int) -> bool:
        return map_scale == 2 * scale


@opcode
class StoreKv(SiteOpcode):
    """Store keys and values after the draw of a site: cache[site] = x.

    In the format: cache[site] = x; no output
    """

    takes = "narrow"

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        return partial(_store_kv, buffers, i, region, buffers.read(i.inputs[0], region))


@opcode
class Input(SiteOpcode):
    """Read a condition: the vector of the image, or the map at each site.

    In the format: the condition named `key`: of phase 0 the vector; else the map at the site, in row R - depth
    """

    inputs = (0, 0)

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        condition, out = buffers.inputs[i.key], buffers.output(i, region)
        if i.phase == Phase.IMAGE:
            return partial(_assign, out, condition)
        return partial(_read_rows, buffers, i, region, condition, out)

    def problem(self, i: Instruction) -> str | None:
        return "a value is missing" if i.output is None or i.inputs else None


@opcode
class Constant(SiteOpcode):
    """Fill with one constant per channel, at every site.

    In the format: constant
    """

    inputs = (0, 0)
    makes = "wide"
    constants: ClassVar = {"constant": WIDE}

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        return partial(_assign, buffers.output(i, region), buffers.constants(i)["constant"])

    def problem(self, i: Instruction) -> str | None:
        return "it makes one wide value" if i.output is None or i.inputs or i.output.is_narrow else None


@opcode
class MapConstant(Constant):
    """Read one integer a channel and site, such as coordinates: for images of one size.

    In the format: numbers at the site, in row R - depth
    """

    constants: ClassVar = {"numbers": numbers("int32", LIMIT, "height", "width", "m")}
    has_floats = False

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        numbers = buffers.constants(i)["numbers"][None]
        return partial(_read_rows, buffers, i, region, numbers, buffers.output(i, region))


def _assign(out: Array, x: Array) -> None:
    out[...] = x


def _assign_all(pairs: list[tuple[Array, Array]]) -> None:
    for out, x in pairs:
        out[...] = x


def _read_rows(buffers: Buffers, i: Instruction, region: Region, source: Array, out: Array) -> None:
    """Read the rows of a map of the whole image; a value of a row above reads the rows above."""
    rows, depth = buffers.rows(region, 1), i.first_row
    out[...] = source[:, rows.start - depth : rows.stop - depth : rows.step, region.columns]


def _store_kv(buffers: Buffers, i: Instruction, region: Region, x: Array) -> None:
    cache = buffers.caches[cache_of(i)]
    sites = cache.reshape(len(cache), buffers.height, buffers.width, -1)
    sites[:, buffers.rows(region, 1), region.columns] = x


def _upsample(buffers: Buffers, scale: int, pairs: list[list[tuple[Array, Array]]]) -> None:
    """Read the quarters of even or of odd rows."""
    _assign_all(pairs[buffers.row // scale % 2])


def _with_parity(part: slice, parity: int) -> slice | None:
    """Return the even or the odd indices of a slice of step 1 or 2; None if it has none."""
    first = next((index for index in range(part.start, part.stop, part.step)[:2] if index % 2 == parity), None)
    return None if first is None else slice(first, part.stop, 2)


def _halved(part: slice) -> slice:
    """Return the coarse indices of the indices of a slice of step 2."""
    start = part.start // 2
    return slice(start, start + (part.stop - 1 - part.start) // 2 + 1, 1)
