"""Known pixels of the image itself: the condition of a model that completes images.

The network reads the image with its hole blanked, and the mask, in every direction. The known sub-pixels then cost
nothing, and the others are

    log p(unknown | known) = sum over unknown sub-pixels i of log p(x_i | earlier sub-pixels, known image, mask)

which is normalised for every mask. With nothing known it is the likelihood of the image. In training masks are drawn at
random (`training/completion_masks.py`). Any mask at any time is the idea of order-agnostic models (Uria et al. 2014,
arXiv 1310.1757; Hoogeboom et al. 2022, arXiv 2110.02037); here the order of the unknown pixels stays fixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pointillist.conditioning.settings import ConditionConfig
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.images import ImageSpec

OBSERVED = "known"
"""Name of the part that holds observed pixels of the image itself: facts, which guidance does not weigh."""


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
