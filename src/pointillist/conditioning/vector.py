"""A vector of floats from anywhere: measurements, an embedding of another model. Needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pointillist.conditioning.settings import ConditionConfig
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.images import ImageSpec


class VectorConfig(ConditionConfig):
    """A vector for each image.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 8, 8), vector=3)
    VectorConfig(size=3, width=32)
    ```

    Attributes:
        size: numbers in the vector; that of the training images if left out.
        width: features it is encoded as.
    """

    kind: ClassVar[str] = "vector"

    size: int = Field(0, ge=0, le=65_536)
    width: int = Field(64, ge=1, le=8192)

    @classmethod
    def of(cls, value: int, image: ImageSpec) -> VectorConfig:
        """Expand the size."""
        return cls(size=value)

    @classmethod
    def infer(cls, settings: VectorConfig | None, data: ImageDataset) -> VectorConfig | None:
        """Take the size of the vectors of the data set."""
        vectors = data.annotations.vectors
        if vectors is None:
            return settings if settings is not None and settings.size else None
        return (settings or cls()).model_copy(update={"size": vectors.shape[1]})

    def check_complete(self) -> None:
        """Check that the size is known."""
        if not self.size:
            raise ConfigError("`conditions.vector.size` (=0) must be at least 1: give the numbers in a vector.")

    def describe(self) -> list[str]:
        """Say how many numbers there are."""
        return [f"vector ({self.size} numbers)"]
