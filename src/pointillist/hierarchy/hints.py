"""Codes as hints: the condition of a pixel model, by nearest neighbour on the grid of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from pointillist.hierarchy.tokenizers.fsq import FSQ
from pointillist.images import ImageSpec


@dataclass(frozen=True)
class CodeHint:
    """The kind of hint that coarser grids of codes make for a finer grid.

    Codes of a tokenizer are vectors of floats, of the next coarser scale, which all coarser ones depend on. Codes of
    the user are unordered ids, of all coarser scales, a channel each.

    Attributes:
        fsq: quantiser of the codes; None for codes of the user.
        specs: kinds of the coarser grids, the finest first; only the first counts with a quantiser.
    """

    fsq: FSQ | None
    specs: tuple[ImageSpec, ...]

    @property
    def channels(self) -> int:
        """Channels of the hint."""
        return len(self.specs) if self.fsq is None else len(self.fsq.levels)

    @property
    def image(self) -> ImageSpec | None:
        """Meaning of the integers of the hint; None for floats."""
        if self.fsq is not None:
            return None
        first = self.specs[0]
        levels = max(spec.levels for spec in self.specs)
        return ImageSpec(
            channels=self.channels, height=first.height, width=first.width, levels=levels, ordered=False, mode="codes"
        )

    def of(self, grids: Sequence[Int[Tensor, "b 1 _ _"]], size: tuple[int, int]) -> Shaped[Tensor, "b d h w"]:
        """Make the hint of a size `(height, width)` from the coarser grids, the finest first."""
        if self.fsq is not None:
            return upsample(self.fsq.vectors(grids[0].cpu()), size)
        return torch.cat([upsample(grid.cpu(), size) for grid in grids], 1)


def upsample(grid: Shaped[Tensor, "b d _ _"], size: tuple[int, int]) -> Shaped[Tensor, "b d h w"]:
    """Enlarge a grid by nearest neighbour."""
    rows, columns = (torch.arange(new) * old // new for new, old in zip(size, grid.shape[2:], strict=True))
    return grid[:, :, rows][:, :, :, columns]
