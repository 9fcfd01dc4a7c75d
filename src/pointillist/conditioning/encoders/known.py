"""Convolutions over known pixels of the image itself, and their mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.encoders.grid import GridEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.known import KnownConfig, KnownFeatures
from pointillist.conditioning.portable import StoredWeights
from pointillist.data import Batch
from pointillist.errors import ShapeError
from pointillist.images import ImageSpec


def encoders(config: KnownConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make convolutions over the known pixels."""
    return {"known": KnownPixelsEncoder(config, image)}


class KnownPixelsEncoder(GridEncoder):
    """Convolutions over the known sub-pixels of the image and their mask, one mask channel for each image channel.

    ```python
    encoder = model.conditions.encoders["known"]
    encoder(encoder.parse((levels, mask), 4, (8, 8))).shape  # (4, 32, 8, 8)
    ```
    """

    keyword = "known"

    def __init__(self, config: KnownConfig, image: ImageSpec) -> None:
        super().__init__(
            image.channels,
            image,
            image.channels,
            width=config.width,
            layers=config.layers,
            level_channels=config.level_channels,
        )
        self.channels, self.image = image.channels, image

    def portable(self, weights: StoredWeights) -> KnownFeatures:
        """The same convolutions in numpy, in fixed point."""
        return KnownFeatures(weights, self.dilations, self.image)

    def parse(self, value: Any, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Parse a pair: levels `[c h w]` or `[n c h w]`, and a mask (see `parse_mask`)."""
        shape = (batch_size, self.channels, *size)
        if value is None:
            nothing = torch.zeros(1, *shape[1:], dtype=torch.int64)
            return MaskedValue(nothing.expand(shape), nothing.bool().expand(shape), observed=True)
        levels, mask = value
        levels = torch.as_tensor(levels)
        levels = levels if levels.ndim == 4 else levels[None]
        if tuple(levels.shape[1:]) != shape[1:] or len(levels) not in (1, batch_size):
            raise ShapeError(f"`known` has levels of shape {list(levels.shape)}: give {list(shape)}.")
        return MaskedValue(levels.expand(shape), parse_mask(mask, shape).to(levels.device), observed=True)

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Take the images of a batch as values, none of them known; training then draws a mask."""
        return MaskedValue(batch.levels, torch.zeros_like(batch.levels, dtype=torch.bool), observed=True)


def parse_mask(mask: Any, shape: tuple[int, ...]) -> Bool[Tensor, "n c h w"]:
    """Parse a mask of known pixels `[h w]`, of sub-pixels `[c h w]`, or of those of each image `[n c h w]`.

    Raises:
        ShapeError: if it is not boolean, or has another shape.

    Example:
        parse_mask(np.ones((8, 8), bool), (4, 3, 8, 8)).shape  # (4, 3, 8, 8)
    """
    result = mask if isinstance(mask, Tensor) else np.asarray(mask)
    kind = str(result.dtype).removeprefix("torch.")
    if kind != "bool" or tuple(result.shape) not in (shape, shape[1:], shape[2:]):
        raise ShapeError(
            f"`known` ({kind}, shape {tuple(result.shape)}) must be boolean, "
            f"{shape[2:]}, {shape[1:]} or {shape}: True where a pixel is known."
        )
    return torch.as_tensor(result).expand(shape)
