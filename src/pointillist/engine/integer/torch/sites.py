"""Opcodes that give constants, in torch; see `engine/integer/opcodes/sites.py`. Moves are those of `numpy/moves.py`."""

from __future__ import annotations

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.sites import check_map_size
from pointillist.engine.integer.program import IntegerInstruction
from pointillist.engine.integer.torch.frames import TorchFrames


def constant(frames: TorchFrames, i: IntegerInstruction, region: Region) -> None:
    """Write one constant a channel, at every site."""
    assert i.output is not None
    frames.write(i.output, region, frames.constants.of(i)["constant"])


def map_constant(frames: TorchFrames, i: IntegerInstruction, region: Region) -> None:
    """Write one constant a channel and site."""
    assert i.output is not None
    check_map_size(i, frames.height, frames.width)
    rows = slice(region.rows.start - i.first_row, region.rows.stop - i.first_row, region.rows.step)
    frames.write(i.output, region, frames.constants.of(i)["numbers"][rows, region.columns])
