"""Opcodes that gather sites or give constants. Other moves are those of `engine/integer/numpy/moves.py`."""

from __future__ import annotations

from typing import Any

import torch

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.sites import check_map_size
from pointillist.engine.torch.frames import TorchFrames


def gather(frames: TorchFrames, i: Any, region: Region) -> None:
    """Read the channels of a map at each tap, all in one copy."""
    step = i.scale // i.map.scale
    frames.write(i.output, region, torch.cat([frames.sites(i.map, region, tap, step) for tap in i.taps], -1))


def constant(frames: TorchFrames, i: Any, region: Region) -> None:
    """Write one constant a channel, at every site."""
    (number,) = frames.constants.of(i)
    frames.write(i.output, region, number)


def integer_constant(frames: TorchFrames, i: Any, region: Region) -> None:
    """Write one integer a channel, at every site."""
    frames.write(i.output, region, frames.constants.of(i)["constant"])


def map_constant(frames: TorchFrames, i: Any, region: Region) -> None:
    """Write one integer a channel and site."""
    check_map_size(i, frames.height, frames.width)
    rows = slice(region.rows.start - i.first_row, region.rows.stop - i.first_row, region.rows.step)
    frames.write(i.output, region, frames.constants.of(i)["numbers"][rows, region.columns])


FLOAT = {"GATHER": gather, "CONSTANT": constant}
INTEGER = {"GATHER": gather, "CONSTANT": integer_constant, "MAP_CONSTANT": map_constant}
