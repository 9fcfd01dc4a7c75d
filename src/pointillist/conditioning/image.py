"""Hints: a conditioning image on the same grid, known before the first pixel, in parts or as a whole.

Low resolution -> high resolution, grey -> colour, outline -> sprite, half -> whole: all of it is known beforehand, so
the convolutions that read it may look in every direction. Not in the papers: van den Oord et al. 2016b map their
conditions with a deconvolutional network (section 2.3); ours keeps the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Shaped
from pydantic import Field, model_validator
from torch import Tensor

from pointillist.conditioning.base import ConditionConfig, ConditionEncoder
from pointillist.conditioning.grid import GridEncoder
from pointillist.conditioning.hint_reader import HintReader
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import MaskedValue
from pointillist.data import Batch, ImageDataset
from pointillist.errors import ConfigError, counted
from pointillist.images import ImageSpec


class HintConfig(ConditionConfig):
    """An image on the grid of each image.

    ```python
    pt.build("gated-pixelcnn", shape=(3, 32, 32), hint="lowres:4")
    HintConfig(rule="outline", width=16)
    ```

    Attributes:
        rule: Rule that derives the conditioning image from the image: lowres:2, grey, outline or half:left. None
            where the data bring their own.
        channels: channels of the hint; from `rule` or the training images if left out.
        image: meaning of the integers of the hint, from `rule` or the training images; None for floats.
        width: features of the map that enters every layer.
        layers: number of residual 3x3 convolutions, with dilations 1, 2, 4 and 8 in turn.
        level_channels: features of the embedding of an unordered level.
    """

    kind: ClassVar[str] = "hint"

    rule: str | None = None
    channels: int = Field(0, ge=0, le=4096)
    image: ImageSpec | None = None
    width: int = Field(32, ge=1, le=1024)
    layers: int = Field(3, ge=0, le=64)
    level_channels: int = Field(8, ge=1, le=1024)

    @model_validator(mode="after")
    def _check(self) -> HintConfig:
        if self.image is not None and self.channels not in (0, self.image.channels):
            raise ConfigError(f"`channels` (={self.channels}) of a hint must be its image's, {self.image.channels}.")
        if self.rule is not None:
            HintPreprocessor.parse(self.rule)
        return self

    @classmethod
    def of(cls, value: int | str | ImageSpec, image: ImageSpec) -> HintConfig:
        """Expand a number of float channels, a kind of integers, or a rule such as `lowres:2`."""
        if isinstance(value, str):
            return cls(rule=value)._made_from(image)
        if isinstance(value, ImageSpec):
            return cls(channels=value.channels, image=value)
        return cls(channels=value)

    @classmethod
    def infer(cls, settings: HintConfig | None, data: ImageDataset) -> HintConfig | None:
        """Take the kind of the hints of the data set, or of those that the rule makes of its images."""
        hints = data.annotations.hints
        if settings is not None and settings.rule is not None:
            if hints is not None:
                raise ConfigError(
                    f"`conditions.hint.rule` (={settings.rule!r}) makes hints of the images, and the data bring hints "
                    "of their own: drop one."
                )
            return settings._made_from(data.spec)
        if hints is None:
            return settings if settings is not None and settings.channels else None
        kind = {"channels": hints.shape[1], "image": data.annotations.hint_spec}
        return (settings or cls()).model_copy(update=kind)

    def _made_from(self, image: ImageSpec) -> HintConfig:
        made = HintPreprocessor.parse(self.rule or "").image_of(image)
        return self.model_copy(update={"channels": made.channels, "image": made})

    def check_complete(self) -> None:
        """Check that the channels are known."""
        if not self.channels:
            raise ConfigError("`conditions.hint.channels` (=0) must be at least 1: give channels, or a `rule`.")

    def encoders(self, image: ImageSpec) -> dict[str, ConditionEncoder]:
        """Convolutions over the hint."""
        return {"hint": ImageConditionEncoder(self, image)}


class ImageConditionEncoder(GridEncoder):
    """Convolutions over the hint and its mask.

    ```python
    encoder = model.conditions.encoders["hint"]
    encoder(encoder.parse(hint, 4, (8, 8))).shape  # (4, 32, 8, 8)
    ```
    """

    keyword = "hint"

    def __init__(self, config: HintConfig, image: ImageSpec) -> None:
        super().__init__(
            config.channels, config.image, 1, width=config.width, layers=config.layers,
            level_channels=config.level_channels,
        )  # fmt: skip
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
        if _kind(*ours) != _kind(*theirs):
            raise ConfigError(
                f"The hints of the images have {_words(*theirs)}, and the model takes {_words(*ours)}: convert them."
            )
        return self.masked(batch.hints)

    def masked(self, values: Shaped[Tensor, "b c h w"]) -> MaskedValue:
        """Mask a hint: all pixels are known, but for those that the rule leaves out."""
        known = torch.from_numpy(self.reader.known((values.shape[2], values.shape[3])))
        return MaskedValue(values, known.repeat(len(values), 1, 1, 1))


def _kind(channels: int, spec: ImageSpec | None) -> tuple[int, int, bool, Sequence[object]]:
    return (channels, 0, True, ()) if spec is None else (channels, spec.levels, spec.ordered, spec.palette or ())


def _words(channels: int, spec: ImageSpec | None) -> str:
    _, levels, ordered, palette = _kind(channels, spec)
    values = "floats" if not levels else f"{levels} {'ordered' if ordered else 'unordered'} levels"
    return f"{counted(channels, 'channel')} of {values}{' with a palette' if palette else ''}"
