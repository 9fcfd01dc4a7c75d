"""Questions about an image that is there, painted or brought, and the answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointillist.studio.messages.base import Message, Name, Packed, Place, Told


class ImageQuestion(Message):
    """An image, and what the model is told of it.

    Attributes:
        levels: `[c h w]`.
        told: what the model is told.
        order: in which its sub-pixels come; null for the model's usual one.
    """

    levels: Packed
    told: Told = Told()
    order: Name | None = None


class Maps(Message):
    """An image in bits.

    Attributes:
        surprise: -log2 of the probability of each sub-pixel given those before it, float32 `[c h w]`.
        entropy: the surprise that the model expected, float32 `[c h w]`.
        bits: of the whole image: the sum of `surprise`; `bits_per_dim` a sub-pixel.
        expected: the sum of `entropy`.
        z: (bits - expected) in deviations of the model: about -2 to 2 for images like its own.
        sequence: all pixels in the order of painting, `row * width + column`.
    """

    surprise: Packed
    entropy: Packed
    bits: float
    bits_per_dim: float
    expected: float
    z: float
    sequence: list[int]


class PixelQuestion(ImageQuestion):
    """A pixel of an image, and how it would be drawn.

    Attributes:
        row, column: from 0, from the top left.
        guidance, temperature, top_p: as for painting; for `drawn` of the answer.
    """

    row: Place
    column: Place
    guidance: float = Field(1.0, ge=0, le=1000)
    temperature: float = Field(1.0, ge=0, le=1000)
    top_p: float = Field(1.0, gt=0, le=1)


class Component(Message):
    """One logistic of a mixture: its share, and mean and scale in levels (a mean may lie outside of them)."""

    weight: float
    mean: float
    scale: float


class LevelShare(Message):
    """A level and its probability."""

    level: int
    prob: float


class SubPixel(Message):
    """What the model held possible at a sub-pixel, given all sub-pixels before it as they are in the image.

    Attributes:
        channel: which; `name` for people.
        observed: the level that is there.
        probs: of every level; they add up to 1.
        drawn: the same after guidance, temperature and top-p; null where all three are 1.
        entropy: the expected surprise, in bits.
        surprise: of the observed level, in bits.
        rank: how many levels were likelier than the observed one, plus 1.
        mean: the expected level; null where levels are names.
        quantiles: the level at which 0.05, 0.25, 0.5, 0.75 and 0.95 of the probability is reached, by that number as
            text; null where levels are names.
        top: the likeliest levels, at most 16, the likeliest first.
        components: of a mixture, the heaviest first; null for other likelihoods.
    """

    channel: int
    name: str
    observed: int
    probs: list[float]
    drawn: list[float] | None
    entropy: float
    surprise: float
    rank: int
    mean: float | None
    quantiles: dict[str, int] | None
    top: list[LevelShare]
    components: list[Component] | None


class PixelAnswer(Message):
    """The sub-pixels of a pixel, channel by channel."""

    row: int
    column: int
    channels: list[SubPixel]


class LookQuestion(ImageQuestion):
    """A pixel, or one of its sub-pixels, of which one wants to know what it looked at; null is the whole pixel."""

    row: Place
    column: Place
    channel: Place | None = None


class Look(Message):
    """What a pixel looked at.

    Attributes:
        values: of every sub-pixel, float32 `[c h w]`: the gradient of the log-probability of what is at the pixel; 0
            for those that come later, and where the network does not reach.
        signed: whether a value below 0 spoke against what is there; false where levels are names.
        unit: of the values, for people.
        top: the largest size of a value.
    """

    values: Packed
    signed: bool
    unit: str
    top: float


class Change(Message):
    """A sub-pixel and the level that it is to have."""

    row: Place
    column: Place
    channel: Place = 0
    level: Annotated[int, Field(ge=0, lt=65_536)]


class ChangeQuestion(ImageQuestion):
    """What if some sub-pixels were others: 1 to 64 changes, of which one at least changes something."""

    changes: list[Change] = Field(min_length=1, max_length=64)


class ChangeAnswer(Message):
    """What follows from changes, all else left as it is.

    Attributes:
        levels: the changed image, `[c h w]`.
        bits_before, bits_after: of the whole image; `bits_change` is their difference.
        surprise: of the changed image, in bits, float32 `[c h w]`.
        shift: how far the distribution of each sub-pixel moved (Kullback-Leibler divergence), in bits, float32
            `[c h w]`; 0 up to the first change.
    """

    levels: Packed
    bits_before: float
    bits_after: float
    bits_change: float
    surprise: Packed
    shift: Packed


class Picture(Message):
    """A picture that was uploaded, in the levels of the model.

    Attributes:
        levels: `[c h w]`.
        resized: how its size was changed: `nearest`, `area`, or null.
        exact: whether the levels show every pixel of the picture (after resizing) as it was, no colour rounded.
        note: what was changed, one sentence for people; null if nothing.
    """

    levels: Packed
    resized: Literal["nearest", "area"] | None
    exact: bool
    note: str | None
