"""Sampled images with their likelihood, conditions and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar, overload

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from pointillist.data.tilemaps import Tileset
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.errors import ConfigError, quote
from pointillist.files.suggestions import AnsweredNames
from pointillist.images import ImageSpec
from pointillist.sampling.arrays import MAX_DRAWN, SampleArrays
from pointillist.visualization import image_grid, png_bytes, save_png

SamplesT = TypeVar("SamplesT", bound="Samples")


@dataclass(frozen=True, kw_only=True)
class Samples(AnsweredNames):
    """Sampled images: a sequence of pictures, a part of which is again `Samples`.

    ```python
    samples = pt.sample(model, 4, label=3, seed=0)
    samples.save("sheet.png")
    samples[0].save("three.png")
    samples[1:3].save("two.png")
    samples.nats, samples.bits_per_dim
    ```

    Attributes:
        levels: integers `[n c h w]`.
        nats: log-likelihood of each image under the model at guidance 1 and temperature 1, in nats, `[n]`.
        image: what the integers mean.
        labels: label that each image is conditioned on, `[n]`; -1 for none.
        seed: seed of the uniforms; None where they were given.
        engine: engine that sampled them.
        order: generation order.
        texts: prompt of each image; None where there was none.
        gain: log p(x | conditions) - log p(x) of each image in nats, `[n]`, by which `best_of` chose it; None where
            there was no choice.
        tileset: pictures of the levels of maps, with which they are shown; None if absent.
        tries: how often each image was drawn until it obeyed the rules, `[n]`; None without rules.
    """

    usual_variable: ClassVar[str] = "samples"

    levels: Int[Tensor, "n c h w"]
    nats: Float[Tensor, " n"]
    image: ImageSpec
    labels: Int[Tensor, " n"]
    seed: int | None
    engine: str
    order: str
    texts: tuple[str, ...] | None = None
    gain: Float[Tensor, " n"] | None = None
    tileset: Tileset | None = None
    tries: Int[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.levels)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self: SamplesT, index: slice | Sequence[int] | Tensor) -> SamplesT: ...
    def __getitem__(self: SamplesT, index: int | slice | Sequence[int] | Tensor) -> Image.Image | SamplesT:
        """Return the picture of an image, or a part of the images with all that belongs to them."""
        if isinstance(index, (int, np.integer)):
            return self.image.to_pil(self.levels[[range(len(self))[index]]].numpy())[0]
        rows = torch.arange(len(self))[index]
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        changed: dict[str, Any] = {}
        for name, value in values:
            if isinstance(value, Tensor):
                changed[name] = value[rows]
            elif isinstance(value, Mapping):
                changed[name] = {part: tensor[rows] for part, tensor in value.items()}
        if self.texts is not None:
            changed["texts"] = tuple(self.texts[row] for row in rows.tolist())
        return replace(self, **changed)

    def __iter__(self) -> Iterator[Image.Image]:
        return iter(self.images)

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"Samples({len(self)} of {self.image}, {float(self.bits_per_dim.mean()):.4f} bits/dim{seed})"

    def sheet(self) -> Image.Image:
        """Draw all images side by side, enlarged, with the prompt of each."""
        return image_grid(self.drawn(), captions=self.texts)

    def save(self, path: str | Path) -> Path:
        """Write a PNG file: a single image in its own size; else the sheet of all.

        Raises:
            ConfigError: for another kind of file.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            remedy = "`samples.array` and `samples.images` are for other formats"
            raise ConfigError(f"`path` (={quote(str(path))}) must end in .png: {remedy}.")
        single = len(self) == 1 and self.tileset is None
        return save_png(self[0] if single else self.sheet(), path)

    def _repr_png_(self) -> bytes | None:
        """Show the sheet in a notebook; codes are not pictures."""
        return png_bytes(self.sheet()) if self.image.levels <= 256 or self.tileset is not None else None

    @classmethod
    def of(cls, arrays: SampleArrays) -> Samples:
        """Return images with their arrays as tensors."""
        values = ((field.name, getattr(arrays, field.name)) for field in fields(SampleArrays))
        tensors: dict[str, Any] = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in values}
        return cls(**tensors)

    def numpy(self) -> SampleArrays:
        """Return the images as arrays, which draw and write them."""
        values = ((field.name, getattr(self, field.name)) for field in fields(SampleArrays))
        arrays: dict[str, Any] = {k: v.numpy() if isinstance(v, Tensor) else v for k, v in values}
        return SampleArrays(**arrays)

    @property
    def array(self) -> np.ndarray:
        """uint8 images `[n h w c]`."""
        return self.numpy().array

    def drawn(self, max_pixels: int = MAX_DRAWN) -> np.ndarray:
        """Draw the images, uint8 `[n H W c]`: maps with their tileset, in smaller tiles from `max_pixels` on."""
        return self.numpy().drawn(max_pixels)

    @property
    def images(self) -> list[Image.Image]:
        """PIL images."""
        return self.numpy().images

    def recoloured(self, palette: Sequence[Sequence[int]]) -> Samples:
        """Return the same images with another palette; see `ImageSpec.recoloured`."""
        return replace(self, image=self.image.recoloured(palette))

    @property
    def rule_acceptance(self) -> float | None:
        """Share of the drawn images that obeyed the rules; None without rules."""
        return None if self.tries is None else len(self.tries) / float(self.tries.sum())

    @property
    def bits_per_dim(self) -> Float[Tensor, " n"]:
        """Bits per sub-pixel of each image under the model."""
        return bits_per_dim(-self.nats, self.levels[0].numel())
