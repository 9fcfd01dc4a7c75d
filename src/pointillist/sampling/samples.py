"""Sampled images with their likelihood, conditions and seed. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

import numpy as np

from pointillist.errors import ConfigError, MissingExtraError, quote
from pointillist.files.reading import is_path
from pointillist.files.suggestions import AnsweredNames, arguments
from pointillist.images import ImageSpec, to_pictures
from pointillist.images.array_types import Float, Int

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from pointillist.data.tilemaps import Tileset

SamplesT = TypeVar("SamplesT", bound="Samples")

MAX_DRAWN = 16_000_000
"""Pixels of all maps that are drawn at once, if their tiles can be made smaller."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples(AnsweredNames):
    """Sampled images: a sequence of pictures, a part of which is again `Samples`.

    ```python
    samples = pt.sample(model, 4, label=3, seed=0)
    samples.save("sheet.png")
    samples[0].save("three.png")
    samples[1:3].save("two.png")
    samples.nats, samples.bits_per_dim
    samples.torch()  # the levels as a tensor
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
        gain: log p(x | conditions) - log p(x) of each image in nats, `[n]`, where `best_of` chose it; None where
            there was no choice.
        tileset: pictures of the levels of maps, with which they are shown; None if absent.
        tries: how often each image was drawn until it obeyed the rules, `[n]`; None without rules.
    """

    usual_variable: ClassVar[str] = "samples"

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

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self: SamplesT, index: slice | Sequence[int] | np.ndarray) -> SamplesT: ...
    def __getitem__(self: SamplesT, index: int | slice | Sequence[int] | np.ndarray) -> Image.Image | SamplesT:
        """Return the picture of an image, or a part of the images with all that belongs to them."""
        single = isinstance(index, (int, np.integer))
        try:
            rows = np.arange(len(self))[[int(index)] if single else index]  # type: ignore[arg-type]
        except IndexError as error:
            raise IndexError(f"There is no {quote(index)} in {self!r}: give a number, a slice, or some.") from error
        changed: dict[str, Any] = {}
        for name in self._columns:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                changed[name] = value[rows]
            else:
                changed[name] = tuple(value[row] for row in rows.tolist())
        part = replace(self, **changed)
        return part.images[0] if single else part

    def __iter__(self) -> Iterator[Image.Image]:
        return iter(self.images)

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        return (
            f"{type(self).__name__}({len(self)} of {self.image}, {float(self.bits_per_dim.mean()):.4f} bits/dim{seed})"
        )

    @property
    def _columns(self) -> tuple[str, ...]:
        """Names of the fields that have a value for each image."""
        return tuple(
            field.name
            for field in fields(self)
            if isinstance(getattr(self, field.name), (np.ndarray, tuple)) and field.name not in self._of_all
        )

    _of_all: ClassVar[tuple[str, ...]] = ()
    """Fields of all images together that are arrays or tuples."""

    @classmethod
    def concat(cls: type[SamplesT], parts: Sequence[SamplesT]) -> SamplesT:
        """Join batches of one model, sampled with the same settings."""
        joined: dict[str, Any] = {}
        for name in parts[0]._columns:
            values = [getattr(part, name) for part in parts]
            joined[name] = np.concatenate(values) if isinstance(values[0], np.ndarray) else tuple(chain(*values))
        return replace(parts[0], **joined)

    def torch(self) -> Tensor:
        """Return the levels as a tensor, int64 `[n c h w]`.

        Raises:
            MissingExtraError: if torch is not installed.
        """
        try:
            import torch
        except ModuleNotFoundError:
            raise MissingExtraError("`Samples.torch`", "train") from None
        return torch.from_numpy(self.levels)

    def sheet(self) -> Image.Image:
        """Draw all images side by side, enlarged, with the prompt of each."""
        from pointillist.images.visualization import image_grid

        return image_grid(self.drawn(), captions=self.texts)

    @arguments(path=is_path)
    def save(self, path: str | Path) -> Path:
        """Write a PNG file: a single image in its own size and bits; else the sheet of all.

        Raises:
            ConfigError: for another kind of file.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            remedy = "`samples.array` and `samples.images` are for other formats"
            raise ConfigError(f"`path` (={quote(str(path))}) must end in .png: {remedy}.")
        from pointillist.images.visualization import save_png

        if len(self) > 1 or self.tileset is not None:
            return save_png(self.sheet(), path)
        return save_png(self.images[0] if self.has_other_colours else self.image.to_files(self.levels)[0], path)

    def _repr_png_(self) -> bytes | None:
        """Show the sheet in a notebook; unordered codes of more than 256 levels are not pictures."""
        from pointillist.images.visualization import png_bytes

        return png_bytes(self.sheet()) if self.image.is_displayable or self.tileset is not None else None

    @property
    def array(self) -> np.ndarray:
        """uint8 images `[n h w c]`; uint16 for more than 256 levels."""
        return self.image.to_images(self.levels)

    def drawn(self, max_pixels: int = MAX_DRAWN) -> np.ndarray:
        """Draw the images, uint8 `[n H W c]`: maps with their tileset, in smaller tiles from `max_pixels` on.

        Images of more than 256 levels are shown on one scale each; see `to_picture`.
        """
        if self.tileset is None:
            return to_pictures(self.image, self.levels) if self.image.is_deep else self.array
        levels = self.levels[:, 0]
        return self.tileset.fitting(levels.size, max_pixels).draw(levels)

    @property
    def images(self) -> list[Image.Image]:
        """PIL images."""
        return self.image.to_pil(self.levels)

    @property
    def has_other_colours(self) -> bool:
        """True if the pictures have colours that the levels do not hold, see `Completions`."""
        return False

    def recoloured(self: SamplesT, palette: Sequence[Sequence[int]]) -> SamplesT:
        """Return the same images with another palette; see `ImageSpec.recoloured`."""
        return replace(self, image=self.image.recoloured(palette))

    @property
    def rule_acceptance(self) -> float | None:
        """Share of the drawn images that obeyed the rules; None without rules."""
        return None if self.tries is None else len(self.tries) / float(self.tries.sum())

    @property
    def bits_per_dim(self) -> Float[np.ndarray, " n"]:
        """Bits per sub-pixel of each image under the model."""
        return -self.nats / (math.prod(self.levels.shape[1:]) * math.log(2))
