"""Convolutions over a hint and its mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.encoders.grid import GridEncoder
from pointillist.conditioning.hint import HintConfig, HintFeatures, HintReader, hint_kind, hint_words
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import StoredWeights
from pointillist.data import Batch
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec


def encoders(config: HintConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make convolutions over the hint."""
    return {"hint": HintEncoder(config, image)}


class HintEncoder(GridEncoder):
    """Convolutions over the hint and its mask.

    ```python
    encoder = model.conditions.encoders["hint"]
    encoder(encoder.parse(hint, 4, (8, 8))).shape  # (4, 32, 8, 8)
    ```
    """

    keyword = "hint"

    def __init__(self, config: HintConfig, image: ImageSpec) -> None:
        super().__init__(
            config.channels,
            config.image,
            1,
            width=config.width,
            layers=config.layers,
            level_channels=config.level_channels,
        )
        self.config = config
        self.target = image
        self.preprocessor = None if config.rule is None else HintPreprocessor.parse(config.rule)
        self.reader = HintReader(config.channels, config.image, self.preprocessor)

    def parse(self, value: Any, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Parse levels or floats `[c h w]` or `[n c h w]`, or pictures; see `HintReader.read`."""
        count = batch_size
        if value is None:
            kind = torch.float32 if self.config.image is None else torch.int64
            nothing = torch.zeros(1, self.config.channels, *size, dtype=kind)
            unknown = torch.zeros(1, 1, *size, dtype=torch.bool)
            # views of one image: those of a whole data set take no memory
            return MaskedValue(nothing.expand(count, -1, -1, -1), unknown.expand(count, -1, -1, -1))
        values = self.reader.read(value.cpu().numpy() if isinstance(value, Tensor) else value, count, size)
        one = torch.from_numpy(np.array(values[:1] if values.strides[0] == 0 else values))
        return self.masked(one.expand(count, -1, -1, -1))

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Make the hints of a batch by the rule, or take those that its data set brings."""
        x = batch.levels
        if self.preprocessor is not None:
            return self.masked(torch.from_numpy(self.preprocessor.of(x.cpu().numpy(), self.target)))
        if batch.hints is None:
            return self.parse(None, len(x), (x.shape[2], x.shape[3]))
        ours, theirs = (self.config.channels, self.config.image), (batch.hints.shape[1], batch.annotations.hint_spec)
        if hint_kind(*ours) != hint_kind(*theirs):
            raise ConfigError(
                f"The hints of the images have {hint_words(*theirs)}, and the model takes {hint_words(*ours)}: convert "
                "them."
            )
        return self.masked(batch.hints)

    def masked(self, values: Shaped[Tensor, "b c h w"]) -> MaskedValue:
        """Mask a hint: all pixels are known, but for those that the rule leaves out."""
        known = torch.from_numpy(self.reader.known((values.shape[2], values.shape[3])))
        return MaskedValue(values, known.repeat(len(values), 1, 1, 1))

    def portable(self, weights: StoredWeights) -> HintFeatures:
        """The same convolutions in numpy, in fixed point."""
        return HintFeatures(weights, self.dilations, self.reader)
