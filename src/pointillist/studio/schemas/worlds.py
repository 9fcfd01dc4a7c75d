"""Parts of endless maps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pointillist.studio.schemas.base import MAX_SAFE, EncodedArray, Schema, Side
from pointillist.studio.schemas.rules import MapRules

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
