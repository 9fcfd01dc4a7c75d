"""Levels of images that are known beforehand as the numbers that a network reads."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.images import ImageSpec


def level_vectors(image: ImageSpec, width: int) -> nn.Embedding | None:
    """Vectors to be learned of levels that are names without colours; None where a level is numbers by itself."""
    return nn.Embedding(image.levels, width) if not image.ordered and image.palette is None else None


def width_of_level(image: ImageSpec, width: int) -> int:
    """How many numbers a level becomes, where a learned vector has `width`."""
    return 4 if image.palette is not None else 1 if image.ordered else width


def numbers_of(
    levels: Int[Tensor, "*b c h w"], image: ImageSpec, vectors: nn.Embedding | None, dtype: torch.dtype
) -> Float[Tensor, "*b c h w e"]:
    """A palette's colours and ordered levels as numbers from 0 to 1, other names as learned vectors."""
    if vectors is not None:
        found: Tensor = vectors(levels)
        return found
    if image.palette is None:
        return levels[..., None].to(dtype) / (image.levels - 1)
    return (torch.tensor(image.palette, device=levels.device, dtype=dtype) / 255)[levels]
