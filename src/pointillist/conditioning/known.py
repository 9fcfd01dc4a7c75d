"""Known pixels of the image itself: the condition of a model that completes images.

The network reads the image with its hole blanked, and the mask, in every direction. The known sub-pixels then cost
nothing, and the others are

    log p(unknown | known) = sum over unknown sub-pixels i of log p(x_i | earlier sub-pixels, known image, mask)

which is normalised for every mask. With nothing known it is the likelihood of the image. In training masks are drawn at
random (`training/completion_masks.py`). Any mask at any time is the idea of order-agnostic models (Uria et al. 2014,
arXiv 1310.1757; Hoogeboom et al. 2022, arXiv 2110.02037); here the order of the unknown pixels stays fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray
from pydantic import Field

from pointillist.conditioning.portable import PortableEncoder
from pointillist.conditioning.portable.grid import GridFeatures, StoredGrid
from pointillist.conditioning.settings import ConditionConfig
from pointillist.errors import ConfigError, ShapeError
from pointillist.files.arrays import ArrayReader, ArrayWriter
from pointillist.images import ImageSpec

if TYPE_CHECKING:
    from pointillist.data import ImageDataset

OBSERVED = "known"
"""Name of the part that holds observed pixels of the image itself: facts, which guidance does not weigh."""


class StoredKnown(StoredGrid):
    """JSON values of an encoder of known pixels."""

    image: ImageSpec


@dataclass(frozen=True, eq=False)
class KnownFeatures(GridFeatures):
    """The encoder of known pixels in numpy, in fixed point: see `GridFeatures`.

    Attributes:
        image: meaning of the integers of the image.
    """

    key: ClassVar[str] = "known"
    keyword: ClassVar[str] = OBSERVED
    any_size: ClassVar[bool] = True

    image: ImageSpec
    reader: Any = field(default=None, init=False)

    @property
    def spec(self) -> ImageSpec:
        """Meaning of the integers of the image."""
        return self.image

    def read(
        self, value: Any, count: int, size: tuple[int, int]
    ) -> tuple[Shaped[np.ndarray, "n c h w"], NDArray[np.bool_]]:
        """Read levels and a mask, `[h w]`, `[c h w]` or `[n c h w]`; None for nothing known."""
        shape = (count, self.image.channels, *size)
        if value is None:
            return np.broadcast_to(np.int64(0), shape), np.broadcast_to(np.False_, shape)
        levels, known = (np.asarray(array) for array in value)
        if known.dtype != bool or known.shape not in (shape, shape[1:], shape[2:]):
            raise ShapeError(f"`known` ({known.dtype}, shape {known.shape}) must be boolean, {shape[2:]} or {shape}.")
        if levels.shape not in (shape, shape[1:], shape[2:]):
            raise ShapeError(f"`known` has levels of shape {list(levels.shape)}: give {list(shape)}.")
        return np.broadcast_to(levels, shape), np.broadcast_to(known, shape)

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the weights and the kind of image."""
        image = self.image.model_dump(mode="json")
        return {"image": image, "weights": self.weights.encode(arrays), "dilations": list(self.dilations)}

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> KnownFeatures:
        """Read an encoder: square kernels of odd size, from an image and its mask to the width of the part."""
        stored = StoredKnown.parse(document, arrays)
        if part != "map":
            raise arrays.damaged("an encoder of known pixels has no map")
        channels = stored.image.channels
        weights = stored.grid_weights(channels, channels, stored.image, width, arrays)
        return cls(weights, tuple(stored.dilations), stored.image)


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
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (KnownFeatures,)

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

    def describe(self) -> list[str]:
        """Name the condition."""
        return ["known pixels (any mask)"]

    @classmethod
    def unsupported(cls, value: Any) -> ConfigError:
        """Name what completes images otherwise."""
        return ConfigError(
            "`known` cannot be used: this model was not trained to complete images. Use `pt.inpaint`, or train it with "
            "`--completion`."
        )
