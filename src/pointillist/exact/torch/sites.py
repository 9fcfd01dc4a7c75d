"""Opcodes that give constants, in torch; see `exact/opcodes/sites.py`. Moves are those of `numpy/moves.py`."""

from __future__ import annotations

from pointillist.exact.numpy.frames import Region
from pointillist.exact.opcodes.sites import check_map_size
from pointillist.exact.program import ExactInstruction
from pointillist.exact.torch.frames import TorchFrames


def constant(frames: TorchFrames, i: ExactInstruction, region: Region) -> None:
    """Write one constant a channel, at every site."""
    assert i.output is not None
    frames.write(i.output, region, frames.constants.of(i)["constant"])


def map_constant(frames: TorchFrames, i: ExactInstruction, region: Region) -> None:
    """Write one constant a channel and site."""
    assert i.output is not None
    check_map_size(i, frames.height, frames.width)
    rows = slice(region.rows.start - i.first_row, region.rows.stop - i.first_row, region.rows.step)
    frames.write(i.output, region, frames.constants.of(i)["numbers"][rows, region.columns])
