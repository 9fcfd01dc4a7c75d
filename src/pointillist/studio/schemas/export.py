"""What is taken home: pictures, animations, and recipes that are painted again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pointillist.studio.messages.base import Message, Name, Packed
from pointillist.studio.messages.painting import MAX_CANVASES, Painted, Recipe


class PngRequest(Message):
    """An image as a PNG file, every pixel `scale` x `scale` (1 is exact)."""

    levels: Packed
    scale: int = Field(1, ge=1, le=64)


class GifRequest(Message):
    """Images of one size being painted side by side, as a looping GIF.

    Attributes:
        images: levels `[c h w]` each.
        order: in which they were painted; null for the model's usual one.
        known: pixels that were there from the start, uint8 `[h w]`, 0 or 1; null for none.
        frames: at most so many.
        scale: pixels of the GIF for one of an image; null for what fits.
        dark: whether the ground is dark.
    """

    images: list[Packed] = Field(min_length=1, max_length=MAX_CANVASES)
    order: Name | None = None
    known: Packed | None = None
    frames: int = Field(120, ge=2, le=400)
    scale: Annotated[int, Field(ge=1, le=64)] | None = None
    dark: bool = False


class RepaintRequest(Message):
    """A recipe to paint again with the model of the path."""

    recipe: Recipe


class Repainted(Message):
    """A recipe, painted again.

    Attributes:
        identical: of each image, whether it has the hash of the recipe: then it is equal to the bit.
        same_model: whether the model is the one of the recipe, by its hash.
        same_machine: whether processor and versions are those of the recipe.
        message: one sentence that says plainly what came out.
        images: as they came out here.
    """

    identical: list[bool]
    same_model: bool
    same_machine: bool
    message: str
    images: list[Painted]
