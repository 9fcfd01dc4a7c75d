"""Parts of endless maps, by seed."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pointillist.errors import ConfigError, EngineError
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.worlds.world import World, open_world_model
from pointillist.studio import schemas
from pointillist.studio.conversion import check_pixels, level_dtype

_MOST_WORLDS = 4  # that are kept, with the chunks that were drawn last


class WorldCache:
    """Endless maps that were looked at last.

    ```python
    WorldCache().tiles(model, schemas.WorldQuery(seed=7, row=-40, column=0, height=32, width=32), limits).levels
    ```
    """

    def __init__(self) -> None:
        self._worlds: OrderedDict[tuple[int, int, str], tuple[LikelihoodModel, World]] = OrderedDict()
        self._lock = threading.Lock()  # one at a time: a page asks again and again while it is dragged

    def tiles(self, model: LikelihoodModel, query: schemas.WorldQuery, limits: schemas.Limits) -> schemas.WorldTiles:
        """Draw a rectangle of an endless map, as `pointillist.World` does.

        Raises:
            RequestError: if it is too large.
            ConfigError: if the model draws no endless maps, or a rule is none of worlds or cannot be met.
        """
        check_pixels(query.height, query.width, limits)
        rules = None if query.rules is None else query.rules.to_dict()
        key = (id(model), query.seed, repr(rules))
        with self._lock:
            if key not in self._worlds:
                self._worlds[key] = model, World(model, query.seed, rules)
                while len(self._worlds) > _MOST_WORLDS:
                    self._worlds.popitem(last=False)
            self._worlds.move_to_end(key)
            levels = self._worlds[key][1].tiles(query.row, query.column, query.height, query.width)
        return schemas.WorldTiles(levels=schemas.EncodedArray.of(levels[None], level_dtype(model.image.levels)))


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
