"""Read a hint, or derive it from an image: an array of values and the mask of its known pixels, in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from PIL import Image

from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images import ImageSpec


@dataclass(frozen=True)
class HintReader:
    """What a model takes as a hint.

    ```python
    reader = HintReader(1, ImageSpec.infer((1, 8, 8), 2), None)
    reader.read(np.ones((1, 8, 8), np.int64), 4, (8, 8)).shape  # (4, 1, 8, 8)
    ```

    Attributes:
        channels: channels of the hint.
        image: meaning of its integers; None for floats.
        preprocessor: the rule that derives it from an image; None if there is none.
    """

    channels: int
    image: ImageSpec | None
    preprocessor: HintPreprocessor | None

    def read(self, value: Any, count: int, size: tuple[int, int]) -> Shaped[np.ndarray, "b c h w"]:
        """Read levels or floats `[c h w]` or `[n c h w]`, or pictures, on the grid of the image (or of the rule).

        Raises:
            DataError: if a value is no level, or no finite number.
            ShapeError: if channels, count or size do not fit.
        """
        values = self._values(value)
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
        return np.broadcast_to(values, (count, *values.shape[1:]))

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
