"""Sampled images as arrays: what is drawn and written to files. Needs no torch."""

from __future__ import annotations

import math
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
        nats: log-likelihood of each image in nats, `[n]`.
        image, labels, seed, engine, order, texts, gain, tileset, tries: see `Samples`.
    """

    levels: Int[np.ndarray, "n c h w"]
    nats: Float[np.ndarray, " n"]
    image: ImageSpec
    labels: Int[np.ndarray, " n"]
    seed: int | None
    engine: str
    order: str
    texts: tuple[str, ...] | None = None
    gain: Float[np.ndarray, " n"] | None = None
    tileset: Tileset | None = None
    tries: Int[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def bits_per_dim(self) -> Float[np.ndarray, " n"]:
        """Bits per sub-pixel of each image under the model."""
        return -self.nats / (math.prod(self.levels.shape[1:]) * math.log(2))

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

    @classmethod
    def concat(cls, parts: Sequence[SampleArrays]) -> SampleArrays:
        """Join batches of one model, sampled with the same settings."""
        texts = [text for part in parts for text in part.texts or ()]
        gains = [part.gain for part in parts if part.gain is not None]
        tries = [part.tries for part in parts if part.tries is not None]
        return replace(
            parts[0],
            levels=np.concatenate([part.levels for part in parts]),
            nats=np.concatenate([part.nats for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            texts=tuple(texts) if parts[0].texts is not None else None,
            gain=np.concatenate(gains) if gains else None,
            tries=np.concatenate(tries) if tries else None,
        )

    def recoloured(self, palette: Sequence[Sequence[int]]) -> SampleArrays:
        """Return the same images with another palette; see `ImageSpec.recoloured`."""
        return replace(self, image=self.image.recoloured(palette))
