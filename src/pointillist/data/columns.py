"""What a data set says about its images beside labels and captions: attributes, vectors, and images that are hints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pointillist.errors import DataError
from pointillist.images import ImageSpec


@dataclass(frozen=True)
class Annotations:
    """One entry for each image.

    Attributes:
        attributes: `int64 [n]` by name, -1 where an image has none; `values` holds the names of their numbers.
        vectors: `float32 [n d]`.
        hints: `n c h w` on the grid of the images: integers, which `hint_spec` explains, or floats.
    """

    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: np.ndarray | None = None
    hints: np.ndarray | None = None
    hint_spec: ImageSpec | None = None

    def check(self, count: int, size: tuple[int, int], name: str) -> None:
        """Refuse columns that do not belong to `count` images of a size.

        Raises:
            DataError: naming the first that does not.
        """
        found = {**self.attributes, "vectors": self.vectors, "hints": self.hints}
        for what, column in found.items():
            if column is not None and len(column) != count:
                raise DataError(f"{name} has {count:,} images but {len(column):,} {what}: give one for each image.")
        if self.vectors is not None and (self.vectors.ndim != 2 or not np.isfinite(self.vectors).all()):
            raise DataError(f"The vectors of {name} must be finite numbers [n, d], not of shape {self.vectors.shape}.")
        if self.hints is not None and self.hints.shape[2:] != size:
            raise DataError(
                f"The hints of {name} are {'x'.join(map(str, self.hints.shape[2:]))} and its images "
                f"{size[0]}x{size[1]}: bring them to one size."
            )

    def take(self, index: np.ndarray) -> Annotations:
        """The entries of some images."""
        return Annotations(
            {name: column[index] for name, column in self.attributes.items()},
            self.values,
            None if self.vectors is None else self.vectors[index],
            None if self.hints is None else self.hints[index],
            self.hint_spec,
        )
