"""Rules of maps that a request may set, without rules that read a file, and parts of endless maps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pointillist.studio.schemas.base import MAX_SAFE, EncodedArray, Name, Schema, Side

Names = Annotated[list[Name], Field(min_length=1, max_length=64)]


class LevelCount(Schema):
    """Bounds on the number of cells that have one of some levels."""

    levels: Names
    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: Annotated[int, Field(ge=0)] | None = None


class MapRules(Schema):
    """Rules that every map obeys; levels are named as in `ImageKind.level_names`.

    Attributes:
        border: levels that the outermost cells may have; empty for any.
        mirror: symmetry of the map.
        observed: whether only neighbours of the training maps may be neighbours.
        counts: how many cells may have some levels.
        connected: levels whose cells form one piece.
        tries: maps that are drawn at most for each one.
    """

    border: list[Name] = Field([], max_length=64)
    mirror: Literal["none", "x", "y", "both"] = "none"
    observed: bool = False
    counts: list[LevelCount] = Field([], max_length=16)
    connected: list[Names] = Field([], max_length=4)
    tries: int = Field(100, ge=1, le=1000)

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as `pointillist.sample` takes them."""
        rules = self.model_dump(exclude={"observed", "connected"})
        adjacency = {"adjacency": "observed"} if self.observed else {}
        return {**rules, **adjacency, "connected": [{"levels": levels} for levels in self.connected]}


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
