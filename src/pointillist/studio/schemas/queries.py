"""Queries about an image, sampled or uploaded, and their results."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointillist.studio.schemas.base import ConditionValues, DrawSettings, EncodedArray, Index, Name, Schema, Side
from pointillist.studio.schemas.sampling import Engine


class CanvasQuery(Schema):
    """An image and its conditions.

    Attributes:
        levels: `[c h w]`.
        conditions: the conditions of the image.
        order: the generation order; null for the model's default.
        engine: the engine that sampled it, whose distributions are requested: of the integer program, or in
            floating point; `auto` for the engine of `SampleRequest`.
    """

    levels: EncodedArray
    conditions: ConditionValues = ConditionValues()
    order: Name | None = None
    engine: Engine = "auto"


class ScoreMaps(Schema):
    """An image in bits.

    Attributes:
        surprisal: -log2 of the probability of each sub-pixel given those before it, float32 `[c h w]`.
        entropy: entropy of the distribution of each sub-pixel, float32 `[c h w]`.
        bits: of the whole image, as `evaluate` computes them.
        bits_per_dim: `bits` per sub-pixel.
        expected: the sum of `entropy`.
        z: (bits - expected) in standard deviations under the model: about -2 to 2 for typical images.
        sequence: all pixels in generation order, `row * width + column`.
    """

    surprisal: EncodedArray
    entropy: EncodedArray
    bits: float
    bits_per_dim: float
    expected: float
    z: float
    sequence: list[int]


class WordExchange(Schema):
    """Another word, or several, in the place of a word of a prompt.

    Attributes:
        index: index of the word between the spaces of the prompt, from 0.
        replacement: what stands in its place.
    """

    index: int = Field(ge=0, le=10_000)
    replacement: str = Field(min_length=1, max_length=200)


class WordQuery(CanvasQuery):
    """An image whose words are measured.

    Attributes:
        exchange: a word of the prompt and another in its place; null to leave each word out in turn.
    """

    exchange: WordExchange | None = None


class WordBits(Schema):
    """A word of a prompt.

    Attributes:
        text: the word, without the punctuation around it.
        index: its index between the spaces of the prompt, from 0.
        replacement: the word in its place, as the model reads it; null where it is left out.
        bits: bits that it saves in the image, against the prompt without it or with the other word.
        read: false if the text encoder makes the same of both prompts.
    """

    text: str
    index: int
    replacement: str | None
    bits: float
    read: bool


class WordMaps(Schema):
    """Bits saved by each word of the prompt of an image.

    Attributes:
        prompt: the prompt, as the model reads it; empty for none.
        words: its words, in their order; of an exchange the word alone.
        saved: bits that each saves at each pixel, summed over its channels, float32 `[n h w]`.
        note: a sentence where there are too many words, which have no maps then, where a word is not known, or where an
            exported page cannot read one; else empty.
    """

    prompt: str
    words: list[WordBits]
    saved: EncodedArray
    note: str


class SampledPrompt(Schema):
    """A prompt as it is sampled.

    Attributes:
        prompt: what is sampled for it.
        notes: sentences on what is left out, sampled as something else, or was not measured.
    """

    prompt: str
    notes: list[str]


class PixelQuery(CanvasQuery, DrawSettings):
    """A pixel of an image, and the transform of `sampling_probs` of the result.

    Attributes:
        row, column: from 0, from the top left.
    """

    row: Index
    column: Index


class Component(Schema):
    """A logistic of a mixture: weight, and mean and scale in levels (a mean may lie outside the range of levels)."""

    weight: float
    mean: float
    scale: float


class LevelProb(Schema):
    """A level and its probability."""

    level: int
    prob: float


class SubPixel(Schema):
    """The distribution of a sub-pixel, given all sub-pixels before it as they are in the image.

    Attributes:
        channel: index of the channel.
        name: name of the channel to display.
        observed: the level of the image.
        probs: the probability of every level; they sum to 1.
        sampling_probs: the same after guidance, temperature and top-p; null if all three are 1.
        entropy: in bits.
        surprisal: of the observed level, in bits.
        rank: 1 plus the number of levels that are more likely than the observed one.
        mean: the expected level; null if levels are categories.
        quantiles: the levels at which the cumulative probability reaches 0.05, 0.25, 0.5, 0.75 and 0.95, keyed by that
            number as text; null if levels are categories.
        top: the most likely levels, at most 16, in descending order.
        components: components of a mixture, in descending order of weight; null for other likelihoods.
    """

    channel: int
    name: str
    observed: int
    probs: list[float]
    sampling_probs: list[float] | None
    entropy: float
    surprisal: float
    rank: int
    mean: float | None
    quantiles: dict[str, int] | None
    top: list[LevelProb]
    components: list[Component] | None


class PixelDistribution(Schema):
    """The distributions of the sub-pixels of a pixel, channel by channel."""

    row: int
    column: int
    channels: list[SubPixel]


class SaliencyQuery(CanvasQuery):
    """A pixel, or one of its sub-pixels, to explain; a null channel means the whole pixel."""

    row: Index
    column: Index
    channel: Index | None = None


class Saliency(Schema):
    """A saliency map: the influence of each sub-pixel on the probability of a pixel.

    Attributes:
        values: for every sub-pixel, the gradient of the pixel's log-probability, float32 `[c h w]`; 0 for sub-pixels
            that come later, and outside the receptive field.
        signed: whether negative values lower the probability; false if levels are categories.
        unit: unit of the values, to display.
        top: the largest absolute value of their mean over the channels, the end of a colour scale.
    """

    values: EncodedArray
    signed: bool
    unit: str
    top: float


class Edit(Schema):
    """A sub-pixel and its new level."""

    row: Index
    column: Index
    channel: Index = 0
    level: Annotated[int, Field(ge=0, lt=65_536)]


class EditQuery(CanvasQuery):
    """Sub-pixels to set to other levels: 1 to 64 edits, at least one of which changes the image."""

    edits: list[Edit] = Field(min_length=1, max_length=64)


class EditEffect(Schema):
    """The effect of edits, all else being equal.

    Attributes:
        levels: the edited image, `[c h w]`.
        bits_before, bits_after: of the whole image.
        bits_change: their difference.
        surprisal: of the edited image, in bits, float32 `[c h w]`.
        shift: Kullback-Leibler divergence between the distributions of each sub-pixel before and after, in bits,
            float32 `[c h w]`; 0 up to the first edit.
    """

    levels: EncodedArray
    bits_before: float
    bits_after: float
    bits_change: float
    surprisal: EncodedArray
    shift: EncodedArray


class UploadedImage(Schema):
    """An uploaded picture, in the levels of the model.

    Attributes:
        levels: `[c h w]`.
        resized: how its size was changed: `nearest`, `area`, or null.
        exact: whether the levels represent every pixel of the (resized) picture exactly, with no colour rounded.
        note: what was changed, one sentence to display; null if nothing.
    """

    levels: EncodedArray
    resized: Literal["nearest", "area"] | None
    exact: bool
    note: str | None


class FieldQuery(Schema):
    """A pixel of any image of a size.

    Attributes:
        height, width: of the image.
        row, column: from 0, from the top left.
        order: the generation order; null for the model's default.
    """

    height: Side
    width: Side
    row: Index
    column: Index
    order: Name | None = None


class FieldReach(Schema):
    """The pixels on which the distribution of a pixel can depend, whatever the image.

    Attributes:
        reach: 2 for those pixels, 1 for others before it in the generation order, 0 for the rest, uint8 `[h w]`.
        seen: number of pixels on which it can depend.
        earlier: number of pixels before it.
    """

    reach: EncodedArray
    seen: int
    earlier: int


class LayerReadings(Schema):
    """An image as read after each layer, with the later layers left out (logit lens).

    Attributes:
        names: names of the depths; the first is without any layer, the last is the model. None if its output head
            cannot read its inner layers.
        surprisal: of every pixel at each depth, in bits, summed over its channels, float32 `[n h w]`.
    """

    names: list[str]
    surprisal: EncodedArray


class ActivationQuery(CanvasQuery):
    """An activation of the network for an image; a null name stands for the first."""

    name: Annotated[str, Field(max_length=500)] | None = None


class ActivationMap(Schema):
    """An activation of the network for an image.

    Attributes:
        names: all activations that have a value at each pixel, in the order in which they are computed.
        name: the name of this one.
        features: its number of features.
        size: root mean square over the features at each pixel, float32 `[h w]`.
        top: the largest of `size`.
    """

    names: list[str]
    name: str
    features: int
    size: EncodedArray
    top: float
