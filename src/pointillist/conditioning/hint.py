"""Hints: a conditioning image on the same grid, known before the first pixel, in parts or as a whole.

Low resolution -> high resolution, grey -> colour, outline -> sprite, half -> whole: all of it is known beforehand, so
the convolutions that read it may look in every direction. Not in the papers: van den Oord et al. 2016b map their
conditions with a deconvolutional network (section 2.3); ours keeps the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import GridFeatures, Name, PortableEncoder, StoredGrid
from pointillist.conditioning.registry import ConditionConfig
from pointillist.errors import ConfigError, DataError, ShapeError, counted
from pointillist.files.arrays import ArrayReader, ArrayWriter
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Shaped

if TYPE_CHECKING:
    from pointillist.data import Batch, ImageDataset


@dataclass(frozen=True)
class HintReader:
    """Kind of hint that a model takes.

    ```python
    reader = HintReader(1, ImageSpec.infer((1, 8, 8), 2), None)
    reader.read(np.ones((1, 8, 8), np.int64), 4, (8, 8)).values.shape  # (4, 1, 8, 8)
    ```

    Attributes:
        channels: channels of the hint.
        image: meaning of its integers; None for floats.
        preprocessor: the rule that derives it from an image; None if there is none.
    """

    channels: int
    image: ImageSpec | None
    preprocessor: HintPreprocessor | None
    keyword: ClassVar[str] = "hint"

    def read(self, value: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Read levels or floats `[c h w]` or `[n c h w]`, or pictures, on the grid of the image (or of the rule).

        Hints of many images that are equal are views of one.

        Raises:
            DataError: if a value is not a level, or no finite number.
            ShapeError: if channels, count or size do not fit.
        """
        if value is None:
            kind = np.float32(0) if self.image is None else np.int64(0)
            unknown = np.broadcast_to(np.False_, (count, 1, *size))
            return MaskedValue(np.broadcast_to(kind, (count, self.channels, *size)), unknown)
        values = self._values(value.cpu() if hasattr(value, "cpu") else value)
        if values.ndim == 3:
            values = values[None]
        if values.ndim != 4 or values.shape[1] != self.channels or len(values) not in (1, count):
            raise ShapeError(
                f"`hint` of shape {list(values.shape)} must be [{self.channels}, h, w], or "
                f"[{count}, {self.channels}, h, w] for {count} images."
            )
        if self.preprocessor is not None:
            values = self.preprocessor.enlarged(values, size)
        if tuple(values.shape[2:]) != size:
            raise ShapeError(
                f"`hint` of {values.shape[2]}x{values.shape[3]} must have the size of the image, {size[0]}x{size[1]}: "
                "resize one of them."
            )
        return self._masked(np.broadcast_to(values, (count, *values.shape[1:])))

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Make the hints of a batch by the rule, or take the hints that its data set brings."""
        x = batch.levels
        if self.preprocessor is not None:
            return self._masked(self.preprocessor.of(x, image))
        if batch.hints is None:
            return self.read(None, len(x), (x.shape[2], x.shape[3]))
        ours, theirs = (self.channels, self.image), (batch.hints.shape[1], batch.annotations.hint_spec)
        if hint_kind(*ours) != hint_kind(*theirs):
            raise ConfigError(
                f"The hints of the images have {hint_words(*theirs)}, and the model takes {hint_words(*ours)}: convert "
                "them."
            )
        return self._masked(batch.hints)

    def _masked(self, values: Shaped[np.ndarray, "b c h w"]) -> MaskedValue:
        """Mask a hint: all pixels are known, but for what the rule leaves out."""
        known = self.known((values.shape[2], values.shape[3]))
        return MaskedValue(values, np.broadcast_to(known, (len(values), 1, *known.shape)))

    def known(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """Mask of known pixels: all, but for those that the rule leaves out."""
        return np.ones(size, bool) if self.preprocessor is None else self.preprocessor.known(*size)

    def _values(self, value: Any) -> np.ndarray:
        """Convert to an array of the right type, and check its values."""
        pictures = isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Image.Image)
        if pictures or isinstance(value, Image.Image):
            if self.image is None:
                raise DataError("`hint` is a picture, and this model takes floats: give an array [c, h, w].")
            return self.image.level_array(value)
        values = np.asarray(value)
        if self.image is None:
            values = values.astype(np.float32)
            if not np.isfinite(values).all():
                raise DataError("`hint` holds a number that is not finite: replace it.")
            return values
        if values.dtype.kind not in "iu":
            raise DataError(
                f"`hint` must hold integers, not {values.dtype}: its levels are 0 to {self.image.levels - 1}."
            )
        if values.size and not 0 <= int(values.min()) <= int(values.max()) < self.image.levels:
            raise DataError(
                f"`hint` has levels from {int(values.min())} to {int(values.max())}: they must lie in 0 to "
                f"{self.image.levels - 1}."
            )
        return values.astype(np.int64)


def hint_rule(reader: HintReader | None) -> HintPreprocessor:
    """Return the rule by which a model derives hints from images.

    Args:
        reader: what the model takes as a hint; None for a model that takes none.

    Raises:
        ConfigError: if it has no such rule.
    """
    if reader is None:
        raise ConfigError("This model takes no hint: leave it out.")
    if reader.preprocessor is None:
        raise ConfigError("This model does not make hints from images: give them as `hint`.")
    return reader.preprocessor


class StoredHints(StoredGrid):
    """JSON values of an encoder of hints."""

    channels: Annotated[int, Field(ge=1, le=4096)]
    image: ImageSpec | None
    rule: Name | None


@dataclass(frozen=True, eq=False)
class HintFeatures(GridFeatures):
    """The encoder of hints without torch: see `GridFeatures`.

    Attributes:
        reader: what it takes as a hint.
    """

    key: ClassVar[str] = "hints"
    reader: HintReader

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the table of levels and what the reader needs."""
        reader = self.reader
        return {
            "channels": reader.channels,
            "image": None if reader.image is None else reader.image.model_dump(mode="json"),
            "rule": None if reader.preprocessor is None else str(reader.preprocessor),
            **super().encode(arrays),
        }

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> HintFeatures:
        """Read an encoder: the table of its levels, and the rule."""
        stored = StoredHints.parse(document, arrays)
        if stored.image is not None and stored.image.channels != stored.channels:
            raise arrays.damaged("an encoder of hints has other channels than its image")
        try:
            rule = None if stored.rule is None else HintPreprocessor.parse(stored.rule)
        except ConfigError as error:
            raise arrays.damaged(f"{stored.rule!r} is not a rule") from error
        return cls(stored.table(stored.image, stored.channels, arrays), HintReader(stored.channels, stored.image, rule))


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
    incomplete: ClassVar[dict[str, str]] = {
        "channels": "`conditions.hint.channels` (=0) must be at least 1: give channels, or a `rule`."
    }
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (HintFeatures,)

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
            return cls(rule=value)._derived_from(image)
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
            return settings._derived_from(data.spec)
        if hints is None:
            return settings if settings is not None and settings.channels else None
        kind = {"channels": hints.shape[1], "image": data.annotations.hint_spec}
        return (settings or cls()).model_copy(update=kind)

    def _derived_from(self, image: ImageSpec) -> HintConfig:
        derived = HintPreprocessor.parse(self.rule or "").image_of(image)
        return self.model_copy(update={"channels": derived.channels, "image": derived})

    def describe(self) -> list[str]:
        """Name the rule, the channels and their values."""
        rule = "" if self.rule is None else f"{self.rule}, "
        return [f"hint ({rule}{hint_words(self.channels, self.image)})"]


def hint_kind(channels: int, spec: ImageSpec | None) -> tuple[int, int, bool, Sequence[object]]:
    return (channels, 0, True, ()) if spec is None else (channels, spec.levels, spec.ordered, spec.palette or ())


def hint_words(channels: int, spec: ImageSpec | None) -> str:
    _, levels, ordered, palette = hint_kind(channels, spec)
    values = "floats" if not levels else f"{levels} {'ordered' if ordered else 'unordered'} levels"
    return f"{counted(channels, 'channel')} of {values}{' with a palette' if palette else ''}"
