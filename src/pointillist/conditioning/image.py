"""A hint: an image on the same grid that is known before the first pixel, in parts or as a whole.

Low resolution -> high resolution, grey -> colour, outline -> sprite, half -> whole: all of it is known beforehand, so
the convolutions that read it may look in every direction. Not in the papers: van den Oord et al. 2016b map their
conditions with a deconvolutional network (section 2.3); ours keeps the grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import MaskedValue
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images import ImageSpec


class HintConfig(BaseModel):
    """The hint that a model listens to.

    Attributes:
        channels: of the hint.
        image: what its integers mean; None where it is an array of floats.
        derive: how it is made from an image itself, such as `lowres:2`; None where data bring their own.
        width: features of the map that every layer hears.
        layers: 3x3 convolutions with residuals, at distances 1, 2, 4, 1, ...
        level_width: features of the embedding of an unordered level.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(ge=1, le=4096)
    image: ImageSpec | None = None
    derive: str | None = None
    width: int = Field(32, ge=1, le=1024)
    layers: int = Field(3, ge=0, le=64)
    level_width: int = Field(8, ge=1, le=1024)

    @model_validator(mode="after")
    def _check(self) -> HintConfig:
        if self.image is not None and self.image.channels != self.channels:
            raise ConfigError(f"`channels` (={self.channels}) of a hint must be its image's, {self.image.channels}.")
        if self.derive is not None:
            HintPreprocessor.parse(self.derive)
        return self

    @classmethod
    def derived(cls, derive: str, image: ImageSpec) -> HintConfig:
        """The hint that `derive` makes of images."""
        made = HintPreprocessor.parse(derive).image_of(image)
        return cls(channels=made.channels, image=made, derive=derive)


class ImageConditionEncoder(ConditionEncoder):
    """A 5x5 convolution of the hint and of where it is known, residual 3x3 layers, and a map of features."""

    def __init__(self, config: HintConfig, image: ImageSpec) -> None:
        super().__init__()
        self.config = config
        self.painted = image
        self.derivation = None if config.derive is None else HintPreprocessor.parse(config.derive)
        self.map_width = width = config.width
        spec = config.image
        ordered = spec is None or spec.ordered
        self.embedding = None if ordered or spec is None else nn.Embedding(spec.levels, config.level_width)
        inputs = config.channels * (1 if ordered else config.level_width)
        self.first = nn.Conv2d(inputs + 1, width, 5, padding=2)
        distances = [2 ** (i % 3) for i in range(config.layers)]
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in distances)

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Levels or floats `[c h w]` or `[n c h w]`, or pictures, on the grid of the image (or as `derive` makes)."""
        if asked is None:
            kind = torch.float32 if self.config.image is None else torch.int64
            nothing = torch.zeros(1, self.config.channels, *size, dtype=kind)
            unknown = torch.zeros(1, 1, *size, dtype=torch.bool)
            # views of one image: those of a whole data set take no memory
            return MaskedValue(nothing.expand(count, -1, -1, -1), unknown.expand(count, -1, -1, -1))
        values = self._read(asked)
        if values.ndim == 3:
            values = values[None]
        if values.ndim != 4 or values.shape[1] != self.config.channels or len(values) not in (1, count):
            raise ShapeError(
                f"`hint` of shape {list(values.shape)} must be [{self.config.channels}, h, w], or "
                f"[{count}, {self.config.channels}, h, w] for {count} images."
            )
        values = values if self.derivation is None else self.derivation.enlarged(values, size)
        if tuple(values.shape[2:]) != size:
            raise ShapeError(
                f"`hint` of {values.shape[2]}x{values.shape[3]} must have the size of the image, {size[0]}x{size[1]}: "
                "resize one of them."
            )
        return self.told(values.expand(count, -1, -1, -1))

    def told(self, values: Shaped[Tensor, "b c h w"]) -> MaskedValue:
        """A hint whose sites are all known, but for those that `derive` hides."""
        known = torch.ones(len(values), 1, *values.shape[2:], dtype=torch.bool)
        return MaskedValue(values, known if self.derivation is None else self.derivation.known(known))

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d h w"]:
        """Features at each site; zeros and a channel of zeros stand for what is not known."""
        known = part.known
        x = torch.where(known, self._heard(part.values, known), 0.0)
        h = self.first(torch.cat([x, known.to(x.dtype)], 1))
        for layer in self.layers:
            h = h + layer(F.relu(h))
        out: Tensor = h
        return out

    def _heard(self, values: Tensor, known: Bool[Tensor, "b 1 h w"]) -> Float[Tensor, "b i h w"]:
        """Values as numbers: ordered levels in [-1, 1], names as vectors, floats as they are."""
        spec, dtype = self.config.image, self.first.weight.dtype
        if spec is None:
            return values.to(dtype)
        values = torch.where(known, values, 0)
        if self.embedding is None:
            return values.to(dtype) * (2 / (spec.levels - 1)) - 1
        vectors: Tensor = self.embedding(values)
        return vectors.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def _read(self, asked: Any) -> Tensor:
        """A tensor of the right type, its values checked."""
        spec = self.config.image
        pictures = isinstance(asked, (list, tuple)) and bool(asked) and isinstance(asked[0], Image.Image)
        if pictures or isinstance(asked, Image.Image):
            if spec is None:
                raise DataError("`hint` is a picture, and this model takes floats: give an array [c, h, w].")
            return spec.to_levels(asked)
        values = torch.as_tensor(np.asarray(asked) if not isinstance(asked, Tensor) else asked).cpu()
        if spec is None:
            values = values.to(torch.float32)
            if not bool(values.isfinite().all()):
                raise DataError("`hint` holds a number that is not finite: replace it.")
            return values
        if values.is_floating_point() or values.dtype == torch.bool or values.is_complex():
            raise DataError(f"`hint` must hold integers, not {values.dtype}: its levels are 0 to {spec.levels - 1}.")
        values = values.long()
        if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < spec.levels:
            raise DataError(
                f"`hint` has levels from {int(values.min())} to {int(values.max())}: they must lie in 0 to "
                f"{spec.levels - 1}."
            )
        return values
