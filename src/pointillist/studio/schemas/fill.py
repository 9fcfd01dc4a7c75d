"""A request to fill the hole of an image."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pointillist.errors import ConfigError
from pointillist.studio.schemas.base import ConditionValues, EncodedArray, Name, Schema
from pointillist.studio.schemas.sampling import MAX_SAMPLES, Engine, Seed, StartImage

Level = Annotated[int, Field(ge=0, lt=65_536)]


class AllowedLevels(Schema):
    """Levels that the unknown pixels of a region may have, in every channel.

    Attributes:
        region: the pixels, uint8 `[h w]`, 0 or 1. Where regions overlap, a level must be allowed in each.
        levels: at least one level.
    """

    region: EncodedArray
    levels: list[Level] = Field(min_length=1, max_length=65_536)


class FillRequest(Schema):
    """Fill the hole of an image.

    Attributes:
        start: the image, and the pixels that are kept. At least one must be unknown.
        candidates: number of candidates.
        method: how they are drawn; `auto` takes the first of `known`, `order`, `smc` that the model can do, and
            `sequential` where `smc` would be over `ServerInfo.limits`. See `pointillist.inpaint`.
        seed: null lets the server choose one.
        conditions: conditions of all candidates.
        guidance, temperature, top_p: as in `SampleRequest`.
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
    guidance: float = Field(1.0, ge=0, le=1000)
    temperature: float = Field(1.0, ge=0, le=1000)
    top_p: float = Field(1.0, gt=0, le=1)
    order: Name | None = None
    allowed: list[AllowedLevels] = Field([], max_length=64)
    engine: Engine = "auto"
    pick: Annotated[int, Field(ge=0, lt=MAX_SAMPLES)] | None = None

    @model_validator(mode="after")
    def _check_pick(self) -> FillRequest:
        if self.pick is not None and self.pick >= self.candidates:
            raise ConfigError(f"`pick` (={self.pick}) must be below `candidates` (={self.candidates}).")
        return self
