"""Parts of endless maps, by seed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pointillist.errors import ConfigError, EngineError
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.worlds.world import World, open_world_model
from pointillist.studio import schemas
from pointillist.studio.conversion import check_pixels, encode_levels


@lru_cache(maxsize=4)  # with the chunks that were drawn last
def _world(model: LikelihoodModel, seed: int, rules: str | None) -> World:
    return World(model, seed, None if rules is None else schemas.MapRules.model_validate_json(rules).model_dump())


def tiles(model: LikelihoodModel, query: schemas.WorldQuery, limits: schemas.Limits) -> schemas.WorldTiles:
    """Draw a rectangle of an endless map, which its seed and its place determine, as `pointillist.World` does.

    Raises:
        RequestError: if it is too large.
        ConfigError: if the model draws no endless maps, or a rule is none of worlds or cannot be met.
    """
    check_pixels(query.height, query.width, limits)
    key: Any = model  # models compare by identity
    world = _world(key, query.seed, None if query.rules is None else query.rules.model_dump_json())
    levels = world.tiles(query.row, query.column, query.height, query.width)
    return schemas.WorldTiles(levels=encode_levels(model, levels[None]))


def draws_worlds(model: LikelihoodModel) -> bool:
    """Return whether a model draws endless maps.

    ```python
    draws_worlds(pt.load("dungeons"))  # True
    ```
    """
    try:
        open_world_model(model)
    except (ConfigError, EngineError):
        return False
    return model.image.mode == "codes" and not model.image.ordered
