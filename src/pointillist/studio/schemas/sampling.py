"""Requests to sample and to fill, and for parts of endless maps; a sampled image."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pointillist.errors import ConfigError
from pointillist.sampling.rules.config import Rules
from pointillist.studio.schemas.base import (
    MAX_SAFE,
    ConditionValues,
    DrawSettings,
    EncodedArray,
    Name,
    Schema,
    Side,
    reject_surrogates,
    setting,
)

MAX_RULES, MAX_TRIES = 20_000, 1000


def _check_rules(rules: Rules) -> Rules:
    """Reject rules that read a file, that are half a character, or that are too many.

    Raises:
        ValueError: with the rest of a sentence on `rules`.
    """
    text = reject_surrogates(json.dumps(rules.model_dump(), ensure_ascii=False))
    if len(text) > MAX_RULES:
        raise ValueError(f"must have at most {MAX_RULES:,} characters as JSON")
    if rules.reads_files:
        raise ValueError("must read no file: `adjacency.observed` is true or false here")
    if rules.tries > MAX_TRIES:
        raise ValueError(f"must have `tries` (={rules.tries}) of at most {MAX_TRIES:,}")
    return rules


MapRules = Annotated[Rules, AfterValidator(_check_rules)]
"""Rules that every map obeys, as `pointillist.sample` takes them; none that reads a file."""
Place = Annotated[int, Field(ge=-(2**31), le=2**31)]


class WorldQuery(Schema):
    """A rectangle of an endless map.

    Attributes:
        seed: names the map.
        row, column: its upper left corner, any whole numbers.
        height, width: its size.
        rules: rules of the whole map; null for none. `border` and `mirror` are rejected, as a world has no border.
    """

    seed: Annotated[int, Field(ge=0, le=MAX_SAFE)]
    row: Place
    column: Place
    height: Side
    width: Side
    rules: MapRules | None = None


class WorldTiles(Schema):
    """A rectangle of an endless map: `levels` `[1 h w]`."""

    levels: EncodedArray


MAX_SAMPLES = 16

Seed = Annotated[int, Field(ge=0, le=MAX_SAFE)]
Engine = Literal["auto", "integer", "torch", "numpy"]


class StartImage(Schema):
    """A partly known image to continue, the same for all samples or one for each; they share the mask.

    Attributes:
        levels: `[c h w]`, or `[samples c h w]`; only known pixels are read.
        known: pixels that are kept, uint8 `[h w]`, 0 or 1. At least one must be 0.
    """

    levels: EncodedArray
    known: EncodedArray


class Variation(Schema):
    """An image near another one: from its uniforms, of which a part is kept.

    Attributes:
        seed, index: the image from whose uniforms to begin.
        levels: an image `[c h w]` whose uniforms are recovered, instead of `seed` and `index`.
        conditions: conditions under which `levels` are inverted, with the guidance, temperature and top-p of the
            request.
        strength: 0 gives the uniforms of that image, 1 the uniforms of the sample's seed and index.
        kind: `interpolate` changes every uniform a little, `replace` a share of them entirely; `regions` draws a
            share of `levels` again, connected regions, given the others (`pointillist.vary`).
    """

    seed: Seed = 0
    index: Annotated[int, Field(ge=0, le=MAX_SAFE)] = 0
    levels: EncodedArray | None = None
    conditions: ConditionValues = ConditionValues()
    strength: float = Field(ge=0, le=1)
    kind: Literal["interpolate", "replace", "regions"] = "interpolate"


class SampleSpec(Schema):
    """Random numbers and conditions of one image.

    Attributes:
        seed: null lets the server choose one. The same seed and index give the same uniforms, position by position,
            whatever the model (for images of that shape), the settings and the conditions.
        index: index of the image for that seed: image `index` of `pointillist sample --seed`.
        conditions: the conditions of the image.
        variation: the image that it is to be near to; null for none.
    """

    seed: Seed | None = None
    index: Annotated[int, Field(ge=0, le=MAX_SAFE)] = 0
    conditions: ConditionValues = ConditionValues()
    variation: Variation | None = None


class SampleRequest(DrawSettings):
    """A request to sample images.

    Attributes:
        samples: 1 to 16 images, sampled together.
        order: a supported generation order; null for the default.
        size: height and width; null for the default size, or the size of `start`.
        start: an image to continue; null starts from an empty canvas.
        engine: `auto` except in experiments.
        distributions: whether the stream also carries the distribution of every sub-pixel.
        negative_prompt: text to steer away from, by guidance; null for none.
        rules: rules of maps; null for none. The stream begins when a map that obeys them is there.
        best_of: candidates of each image, of which one is shown that its conditions explain and that is not odd.
        seamless: the sides at which images tile; null for none. As with rules, the stream begins when they are there.
    """

    samples: list[SampleSpec] = Field(min_length=1, max_length=MAX_SAMPLES)
    order: Name | None = None
    size: list[Side] | None = Field(None, min_length=2, max_length=2)
    start: StartImage | None = None
    engine: Engine = "auto"
    distributions: bool = False
    negative_prompt: Annotated[str, Field(max_length=10_000)] | None = None
    rules: MapRules | None = None
    best_of: int = setting("best_of", le=MAX_SAMPLES)
    seamless: Literal["x", "y", "both"] | None = None

    @property
    def in_advance(self) -> bool:
        """True if images are drawn before the first pixel is shown."""
        return self.rules is not None or self.best_of > 1 or self.seamless is not None or self.redraws

    @property
    def redraws(self) -> bool:
        """True if regions of images are drawn again."""
        return any(spec.variation is not None and spec.variation.kind == "regions" for spec in self.samples)

    @model_validator(mode="after")
    def _check_size(self) -> SampleRequest:
        if self.size is not None and self.start is not None and self.start.levels.shape[-2:] != self.size:
            raise ConfigError("`size` must be left out, or be the size of `start`.")
        for name, given in (("rules", self.rules), ("seamless", self.seamless), ("best_of", self.best_of > 1 or None)):
            if given is not None and self.start is not None:
                raise ConfigError(f"`{name}` and `start` do not go together: leave one of them out.")
        if self.rules is not None and self.seamless is not None:
            raise ConfigError("`rules` concern whole maps, and bands make an image tile: leave `seamless` out.")
        variations = [spec.variation for spec in self.samples if spec.variation is not None]
        if variations and self.start is not None:
            raise ConfigError("`variation` and `start` do not go together: leave one of them out.")
        if variations and self.best_of > 1:
            raise ConfigError(f"`best_of` (={self.best_of}) draws its candidates from a seed: leave out `variation`.")
        if any(each.kind == "regions" and (each.levels is None or not each.strength) for each in variations):
            raise ConfigError("`variation` of the kind regions needs `levels`, and a `strength` above 0: give both.")
        if self.redraws and [each.kind for each in variations] != ["regions"] * len(self.samples):
            raise ConfigError(
                "`variation` of the kind regions must be one for all samples of a job: ask for them apart."
            )
        return self


class SampledImage(Schema):
    """A finished image.

    Attributes:
        levels: `[c h w]`.
        bits: negative log-likelihood of the whole image, known pixels included, at guidance 1.
        bits_per_dim: the same per sub-pixel.
        sha256: hash of the bytes of `levels` as encoded, 64 hexadecimal digits.
    """

    levels: EncodedArray
    bits: float
    bits_per_dim: float
    sha256: str


Level = Annotated[int, Field(ge=0, lt=65_536)]


class AllowedLevels(Schema):
    """Levels that the unknown pixels of a region may have, in every channel.

    Attributes:
        region: the pixels, uint8 `[h w]`, 0 or 1. Where regions overlap, a level must be allowed in each.
        levels: at least one level.
    """

    region: EncodedArray
    levels: list[Level] = Field(min_length=1, max_length=65_536)


class FillRequest(DrawSettings):
    """Fill the hole of an image.

    Attributes:
        start: the image, and the pixels that are kept. At least one must be unknown.
        candidates: number of candidates.
        method: how they are drawn; `auto` takes the first of `known`, `order`, `smc` that the model can do, and
            `sequential` where `smc` would be over `ServerInfo.limits`. See `pointillist.inpaint`.
        seed: null lets the server choose one.
        conditions: conditions of all candidates.
        order: null for the one in which fewest known pixels come after the hole.
        allowed: levels that are allowed by region.
        engine: `auto` except in experiments.
        pick: number of the only candidate to return; null for all. All are drawn, as one may depend on the others.
    """

    start: StartImage
    candidates: int = Field(8, ge=1, le=MAX_SAMPLES)
    method: Literal["auto", "known", "order", "smc", "sequential"] = "auto"
    seed: Seed | None = None
    conditions: ConditionValues = ConditionValues()
    order: Name | None = None
    allowed: list[AllowedLevels] = Field([], max_length=64)
    engine: Engine = "auto"
    pick: Annotated[int, Field(ge=0, lt=MAX_SAMPLES)] | None = None

    @model_validator(mode="after")
    def _check_pick(self) -> FillRequest:
        if self.pick is not None and self.pick >= self.candidates:
            raise ConfigError(f"`pick` (={self.pick}) must be below `candidates` (={self.candidates}).")
        return self
