"""Known pixels of the image itself: the condition of a model that completes images.

The network reads the image with its hole blanked, and the mask, in every direction. The known sub-pixels then cost
nothing, and the others are

    log p(unknown | known) = sum over unknown sub-pixels i of log p(x_i | earlier sub-pixels, known image, mask)

which is normalised for every mask. With nothing known it is the likelihood of the image. In training masks are drawn at
random (`training/augmentation.py`). Any mask at any time is the idea of order-agnostic models (Uria et al. 2014,
arXiv 1310.1757; Hoogeboom et al. 2022, arXiv 2110.02037); here the order of the unknown pixels stays fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import GridFeatures, PortableEncoder, StoredGrid
from pointillist.conditioning.registry import ConditionConfig
from pointillist.errors import ConfigError, ShapeError
from pointillist.files.arrays import ArrayReader, ArrayWriter, boolean_array
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool

if TYPE_CHECKING:
    from pointillist.data import Batch, ImageDataset

OBSERVED = "known"
"""Name of the part that holds observed pixels of the image itself: facts, which guidance does not weigh."""
MOST_MARGINALS = 64
"""Most levels whose marginal probabilities are trained, and written as a map each."""


class StoredKnown(StoredGrid):
    """JSON values of an encoder of known pixels."""

    image: ImageSpec


@dataclass(frozen=True)
class KnownReader:
    """Read known pixels of the image itself.

    ```python
    KnownReader(1).read((levels, mask), 4, (8, 8)).known.shape  # (4, 1, 8, 8)
    ```

    Attributes:
        channels: channels of the image.
    """

    channels: int
    keyword: ClassVar[str] = OBSERVED

    def read(self, value: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Read a pair: levels `[c h w]` or `[n c h w]`, and a mask (see `parse_mask`); None for nothing known.

        Raises:
            ShapeError: if levels or mask have another shape.
        """
        shape = (count, self.channels, *size)
        if value is None:
            return MaskedValue(np.broadcast_to(np.int64(0), shape), np.broadcast_to(np.False_, shape), observed=True)
        levels, mask = value
        levels = np.asarray(levels)
        levels = levels if levels.ndim == 4 else levels[None]
        if tuple(levels.shape[1:]) != shape[1:] or len(levels) not in (1, count):
            raise ShapeError(f"`known` has levels of shape {list(levels.shape)}: give {list(shape)}.")
        return MaskedValue(np.broadcast_to(levels, shape), parse_mask(mask, shape), observed=True)

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Take the images of a batch as values, none of them known; training then draws a mask."""
        return MaskedValue(batch.levels, np.zeros(batch.levels.shape, bool), observed=True)


def parse_mask(mask: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "n c h w"]:
    """Parse a mask of known pixels `[h w]`, of sub-pixels `[c h w]`, or of sub-pixels of each image `[n c h w]`.

    Raises:
        ShapeError: if it is not boolean, or has another shape.

    Example:
        parse_mask(np.ones((8, 8), bool), (4, 3, 8, 8)).shape  # (4, 3, 8, 8)
    """
    return np.broadcast_to(boolean_array("known", mask, shape[2:], shape[1:], shape), shape)


@dataclass(frozen=True, eq=False)
class KnownFeatures(GridFeatures):
    """The encoder of known pixels without torch: see `GridFeatures`.

    Attributes:
        image: meaning of the integers of the image.
    """

    key: ClassVar[str] = "known"
    masks_channels: ClassVar[bool] = True

    image: ImageSpec

    @property
    def reader(self) -> KnownReader:
        """Reads known pixels."""
        return KnownReader(self.image.channels)

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the table of levels and the kind of image."""
        return {"image": self.image.model_dump(mode="json"), **super().encode(arrays)}

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> KnownFeatures:
        """Read an encoder: the table of the levels of its image."""
        stored = StoredKnown.parse(document, arrays)
        return cls(stored.table(stored.image, stored.image.channels, arrays), stored.image)


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
        marginals: whether there is a head for the probability of each level at each unknown pixel, from the known
            pixels alone, in one pass. Filled in: of images of one channel and at most 64 levels.
    """

    kind: ClassVar[str] = "known"
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (KnownFeatures,)

    completion: bool = True
    width: int = Field(32, ge=1, le=1024)
    layers: int = Field(6, ge=0, le=64)
    level_channels: int = Field(8, ge=1, le=1024)
    marginals: bool = False

    @classmethod
    def of(cls, value: bool, image: ImageSpec) -> KnownConfig:
        """Expand True, the only short form."""
        if value is not True:
            raise ConfigError(f"`known` (={value!r}) must be True, for a model that completes images, or left out.")
        return cls()

    @classmethod
    def infer(cls, settings: KnownConfig | None, data: ImageDataset) -> KnownConfig | None:
        """Keep the settings, as every image can be known in parts; add the head where the images allow it."""
        if settings is None or not settings.completion:
            return None
        few = data.spec.channels == 1 and data.spec.levels <= MOST_MARGINALS
        return settings.model_copy(update={"marginals": few})

    def describe(self) -> list[str]:
        return ["known pixels (any mask)"]

    @classmethod
    def unsupported(cls, value: Any) -> ConfigError:
        """Name what completes images otherwise."""
        return ConfigError(
            "`known` cannot be used: this model was not trained to complete images. Use `pt.inpaint`, or train it with "
            "`--completion`."
        )
