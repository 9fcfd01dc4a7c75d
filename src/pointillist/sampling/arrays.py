"""Sampled images as arrays: what is drawn and written to files. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from pointillist.data.tilemaps import Tileset
from pointillist.images import ImageSpec

MAX_DRAWN = 16_000_000
"""Pixels of all maps that are drawn at once, if their tiles can be made smaller."""


@dataclass(frozen=True, kw_only=True)
class SampleArrays:
    """Sampled images as NumPy arrays; `Samples.numpy` makes them of tensors.

    ```python
    pt.sample(model, 4, seed=0).numpy().levels.shape  # (4, 1, 28, 28)
    ```

    Attributes:
        levels: integers `[n c h w]`.
        nats, bits_per_dim: log-likelihood of each image in nats, and as bits per sub-pixel, `[n]`.
        image, labels, texts, passes, gain, tileset, tries: see `Samples`.
    """

    levels: Int[np.ndarray, "n c h w"]
    nats: Float[np.ndarray, " n"]
    bits_per_dim: Float[np.ndarray, " n"]
    image: ImageSpec
    labels: Int[np.ndarray, " n"]
    texts: tuple[str, ...] | None = None
    passes: int | None = None
    gain: Float[np.ndarray, " n"] | None = None
    tileset: Tileset | None = None
    tries: Int[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def array(self) -> np.ndarray:
        """uint8 images `[n h w c]`."""
        return self.image.to_images(self.levels)

    def drawn(self, max_pixels: int = MAX_DRAWN) -> np.ndarray:
        """Draw the images, uint8 `[n H W c]`: maps with their tileset, in smaller tiles from `max_pixels` on."""
        if self.tileset is None:
            return self.array
        levels = self.levels[:, 0]
        return self.tileset.fitting(levels.size, max_pixels).draw(levels)

    @property
    def images(self) -> list[Image.Image]:
        """PIL images."""
        return self.image.to_pil(self.levels)

    def recoloured(self, palette: Sequence[Sequence[int]]) -> SampleArrays:
        """Return the same images with another palette; see `ImageSpec.recoloured`."""
        return replace(self, image=self.image.recoloured(palette))
