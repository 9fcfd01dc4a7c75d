"""Encoders of conditions that are pictures with a mask: convolutions over hints, and over known pixels of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.hint import HintConfig, HintFeatures, HintReader
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.known import KnownConfig, KnownFeatures, KnownReader
from pointillist.conditioning.portable import LevelTable, StoredWeights
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float
from pointillist.nn.functional.convolution import dilated_conv2d, rms_norm
from pointillist.nn.passes import FullPass, Pass

_SIZES = {"width", "layers", "level_channels"}  # settings of every encoder of a grid


class GridEncoder(ConditionEncoder):
    """A 5x5 convolution of an image and its mask, residual 3x3 layers, and a map of features.

    The image is known before the first pixel, so the convolutions read it in every direction. Every layer of the
    network adds the map to its gates, so it must stay small. Each layer computes h + W * relu(n(h)), and the map is
    n(h), where n divides by the root mean square over the features (Zhang and Sennrich 2019, arXiv 1910.07467, without
    its gains): the mean square of the map is 1 for any weights.

    Args:
        channels: channels of the image.
        spec: meaning of its integers; None for floats.
        mask_channels: channels of the mask: one for whole pixels, or one for each channel of the image.
        width: features of the map.
        layers: number of residual 3x3 convolutions, with dilations 1, 2, 4 and 8 in turn.
        level_channels: features of the embedding of an unordered level.
    """

    def __init__(
        self, channels: int, spec: ImageSpec | None, mask_channels: int, *, width: int, layers: int, level_channels: int
    ) -> None:
        super().__init__()
        self.spec = spec
        self.map_width = width
        ordered = spec is None or spec.ordered
        self.embedding: nn.Embedding | None = (
            None if ordered or spec is None else nn.Embedding(spec.levels, level_channels)
        )
        inputs = channels * (1 if ordered else level_channels)
        self.first: nn.Conv2d = nn.Conv2d(inputs + mask_channels, width, 5, padding=2)
        self.marginals: nn.Conv2d | None = None
        self.dilations: tuple[int, ...] = tuple(2 ** (i % 4) for i in range(layers))
        self.layers: Any = nn.ModuleList(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in self.dilations)

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d h w"]:
        """Features at each pixel; zeros, and a mask channel of zeros, stand for unknown ones."""
        x = self._embed(value.values, value.known)
        return self.convolve(torch.cat([x, value.known.to(x.dtype)], 1), FullPass())

    def with_marginals(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b d h w"]:
        """Compute the features from the canvas, and after them the logits of each level where there is a head."""
        features = self.convolve(x, ctx)
        return features if self.marginals is None else torch.cat([features, self.marginals(features)], 1)

    def table(self) -> LevelTable:
        """Return what levels write to the canvas of a program."""
        if self.spec is None:
            return LevelTable.floats(np.ones(self.reader.channels))
        if self.embedding is None:
            return LevelTable.ordered(self.spec.levels)
        return LevelTable.embedded(self.embedding.weight.detach().cpu().numpy())

    def convolve(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b d h w"]:
        """Compute the features from the canvas, which is complete: windows have rows below."""
        h = F.conv2d(ctx.window("first", x, up=2, left=2, right=2, down=2), self.first.weight, self.first.bias)
        for number, (layer, reach) in enumerate(zip(self.layers, self.dilations, strict=True)):
            window = ctx.window(f"layers.{number}", F.relu(rms_norm(h)), up=reach, left=reach, right=reach, down=reach)
            h = h + dilated_conv2d(window, layer.weight, layer.bias, dilation=reach)
        return rms_norm(h)

    def _embed(self, values: Tensor, known: Bool[Tensor, "b m h w"]) -> Float[Tensor, "b i h w"]:
        """Known values as network inputs: ordered levels in [-1, 1], unordered ones embedded, floats as they are."""
        spec, dtype = self.spec, self.first.weight.dtype
        if spec is None:
            return torch.where(known, values.to(dtype), 0.0)
        values = torch.where(known, values, 0)
        if self.embedding is None:
            return torch.where(known, values.to(dtype) * (2 / (spec.levels - 1)) - 1, 0.0)
        vectors = self.embedding(values).permute(0, 1, 4, 2, 3)
        return torch.where(known[:, :, None], vectors, 0.0).flatten(1, 2)


def hint_encoders(config: HintConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make convolutions over the hint."""
    return {"hint": HintEncoder(config, image)}


class HintEncoder(GridEncoder):
    """Convolutions over the hint and its mask.

    ```python
    encoder = model.conditions.encoders["hint"]
    encoder.encode(encoder.reader.read(hint, 4, (8, 8))).shape  # (4, 32, 8, 8)
    ```
    """

    def __init__(self, config: HintConfig, image: ImageSpec) -> None:
        super().__init__(config.channels, config.image, 1, **config.model_dump(include=_SIZES))
        preprocessor = None if config.rule is None else HintPreprocessor.parse(config.rule)
        self.reader: HintReader = HintReader(config.channels, config.image, preprocessor)

    def portable(self, weights: StoredWeights) -> HintFeatures:
        """Write the canvas of its program; the units of floats are chosen by the data."""
        return HintFeatures(self.table(), self.reader)


def known_encoders(config: KnownConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make convolutions over the known pixels."""
    return {"known": KnownPixelsEncoder(config, image)}


class KnownPixelsEncoder(GridEncoder):
    """Convolutions over the known sub-pixels of the image and their mask, one mask channel for each image channel.

    ```python
    encoder = model.conditions.encoders["known"]
    encoder.encode(encoder.reader.read((levels, mask), 4, (8, 8))).shape  # (4, 32, 8, 8)
    ```
    """

    image: ImageSpec
    reader: KnownReader

    def __init__(self, config: KnownConfig, image: ImageSpec) -> None:
        super().__init__(image.channels, image, image.channels, **config.model_dump(include=_SIZES))
        self.image, self.reader = image, KnownReader(image.channels)
        self.marginals: nn.Conv2d | None = nn.Conv2d(config.width, image.levels, 1) if config.marginals else None

    def portable(self, weights: StoredWeights) -> KnownFeatures:
        """Write the canvas of its program."""
        return KnownFeatures(self.table(), self.image)
