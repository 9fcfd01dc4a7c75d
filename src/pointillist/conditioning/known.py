"""Known pixels of the image itself: the condition of a model that completes images.

The network reads the image with its hole blanked, and the mask, in every direction. The known sub-pixels then cost
nothing, and the others are

    log p(unknown | known) = sum over unknown sub-pixels i of log p(x_i | earlier sub-pixels, known image, mask)

which is normalised for every mask. With nothing known it is the likelihood of the image. In training masks are drawn at
random (`training/completion_masks.py`). Any mask at any time is the idea of order-agnostic models (Uria et al. 2014,
arXiv 1310.1757; Hoogeboom et al. 2022, arXiv 2110.02037); here the order of the unknown pixels stays fixed.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from pointillist.conditioning.base import ConditionConfig, ConditionEncoder
from pointillist.conditioning.grid import GridEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.data import Batch, ImageDataset
from pointillist.errors import ConfigError, ShapeError
from pointillist.images import ImageSpec


class KnownConfig(ConditionConfig):
    """Known pixels of the image itself.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 28, 28), known=True)
    KnownConfig(width=16)
    ```

    Attributes:
        completion: Train the model to complete images, from any known pixels.
        width: features of the map that enters every layer.
        layers: number of residual 3x3 convolutions, with dilations 1, 2, 4 and 8 in turn.
        level_channels: features of the embedding of an unordered level.
    """

    kind: ClassVar[str] = "known"

    completion: bool = True
    width: int = Field(32, ge=1, le=1024)
    layers: int = Field(6, ge=0, le=64)
    level_channels: int = Field(8, ge=1, le=1024)

    @classmethod
    def of(cls, value: bool, image: ImageSpec) -> KnownConfig:
        """Expand True, the only short form."""
        if value is not True:
            raise ConfigError(f"`known` (={value!r}) must be True, for a model that completes images, or left out.")
        return cls()

    @classmethod
    def infer(cls, settings: KnownConfig | None, data: ImageDataset) -> KnownConfig | None:
        """Keep the settings: every image can be known in parts."""
        return settings if settings is not None and settings.completion else None

    def encoders(self, image: ImageSpec) -> dict[str, ConditionEncoder]:
        """Convolutions over the known pixels."""
        return {"known": KnownPixelsEncoder(self, image)}


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
            image.channels, image, image.channels, width=config.width, layers=config.layers,
            level_channels=config.level_channels,
        )  # fmt: skip
        self.channels = image.channels

    def parse(self, value: Any, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Parse a pair: levels `[c h w]` or `[n c h w]`, and a mask (see `parse_mask`)."""
        shape = (batch_size, self.channels, *size)
        if value is None:
            nothing = torch.zeros(1, *shape[1:], dtype=torch.int64)
            return MaskedValue(nothing.expand(shape), nothing.bool().expand(shape))
        levels, mask = value
        levels = torch.as_tensor(levels)
        levels = levels if levels.ndim == 4 else levels[None]
        if tuple(levels.shape[1:]) != shape[1:] or len(levels) not in (1, batch_size):
            raise ShapeError(f"`known` has levels of shape {list(levels.shape)}: give {list(shape)}.")
        return MaskedValue(levels.expand(shape), parse_mask(mask, shape).to(levels.device))

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Take the images of a batch as values, none of them known; training then draws a mask."""
        return MaskedValue(batch.levels, torch.zeros_like(batch.levels, dtype=torch.bool))


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
