"""Names in rules: levels, ranges of rows and columns, and pairs of levels that may be neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.errors import ConfigError, quote
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Integer
from pointillist.sampling.rules.config import Adjacency, Level, Pair

if TYPE_CHECKING:
    from pointillist.data import ImageDataset


_RANGE = re.compile(r"(-?\d+)?:(-?\d+)?")


def level_number(level: Level, image: ImageSpec) -> int:
    """Look up a level by its name, or check its number.

    Raises:
        ConfigError: if there is no such level.

    Example:
        level_number("wall", image)
    """
    names = image.level_names or ()
    if isinstance(level, str) and level in names:
        return names.index(level)
    number = int(level) if isinstance(level, int) or level.isdecimal() else -1
    if not 0 <= number < image.levels:
        near = get_close_matches(str(level), names, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"give {'a name or ' * bool(names)}0 to {image.levels - 1}."
        raise ConfigError(f"The level {quote(level)} of a rule is not one of this model: {remedy}")
    return number


def level_set(levels: Iterable[Level], image: ImageSpec) -> Bool[np.ndarray, " k"]:
    """Mark the levels of a rule among all levels.

    Raises:
        ConfigError: if there is no such level.
    """
    result = np.zeros(image.levels, bool)
    result[[level_number(level, image) for level in levels]] = True
    return result


def parse_range(text: str, length: int, what: str) -> slice:
    """Parse a range of rows or columns, such as `0:8`, `-4:` or `:`.

    Raises:
        ConfigError: if it is not in a grid of this length.
    """
    result = _RANGE.fullmatch(text.replace(" ", ""))
    first, last = (None, None) if result is None else result.groups()
    start, stop, _ = slice(None if first is None else int(first), None if last is None else int(last)).indices(length)
    inside = all(end is None or -length <= int(end) <= length for end in (first, last))
    if result is None or not inside or start >= stop:
        raise ConfigError(
            f"`{what}` (={quote(text)}) of a region must be FIRST:END within 0:{length}, for example 0:{length}."
        )
    return slice(start, stop)


Pairs = Bool[np.ndarray, "2 k k"]
"""Whether a level may be on the right of another, and below it."""
RIGHT, DOWN = range(2)  # directions of the table: these, and then their opposites
MAX_LEVELS = 1024
"""Most levels of which pairs are recorded and used."""
_AT_ONCE = 256  # images


def observed_pairs(maps: Integer[np.ndarray, "n h w"], levels: int) -> Pairs:
    """Find the pairs of neighbours in maps.

    Example:
        observed_pairs(np.array([[[0, 1]]]), 2)[0]  # level 1 may be on the right of level 0
    """
    result = np.zeros((2, levels, levels), bool)
    for axis, pair in ((0, (maps[:, :, :-1], maps[:, :, 1:])), (1, (maps[:, :-1], maps[:, 1:]))):
        codes = np.unique(pair[0].astype(np.int64) * levels + pair[1])
        result[axis].reshape(-1)[codes] = True
    return result


def pairs_of_images(images: ImageDataset) -> Pairs:
    """Find the pairs of neighbours in a data set of one channel, a few images at a time.

    Example:
        pairs_of_images(load_data("maps.npz").train)
    """
    result = np.zeros((2, images.spec.levels, images.spec.levels), bool)
    for start in range(0, len(images), _AT_ONCE):
        part = images.batch(range(start, min(start + _AT_ONCE, len(images)))).levels
        result |= observed_pairs(part[:, 0], images.spec.levels)
    return result


def stores_pairs(image: ImageSpec) -> bool:
    """Return True for maps: grids of one channel whose levels are names, and not too many of them."""
    return image.mode == "codes" and not image.ordered and image.channels == 1 and image.levels <= MAX_LEVELS


def pairs_to_record(pairs: Pairs) -> dict[str, list[list[int]]]:
    """Return what JSON stores: for each level, the levels that may be on its right, and below it."""
    names = ("right", "down")
    return {name: [np.flatnonzero(row).tolist() for row in table] for name, table in zip(names, pairs, strict=True)}


def pairs_from_record(record: Any, levels: int) -> Pairs:
    """Read what `pairs_to_record` made.

    Raises:
        ConfigError: if it is damaged.
    """
    result = np.zeros((2, levels, levels), bool)
    try:
        for axis, name in enumerate(("right", "down")):
            for level, others in enumerate(record[name]):
                result[axis, level, others] = True
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The pairs of neighbours that are stored with the model are damaged ({error}): train it again, or give "
            "maps in `adjacency.observed`."
        ) from error
    return result


def adjacency_table(rule: Adjacency, image: ImageSpec, record: Any) -> Bool[np.ndarray, "4 k k"]:
    """Make the table of an adjacency rule: the levels that may follow each one, in each direction.

    Args:
        record: pairs of the training maps as the model stores them; None where it has none.

    Raises:
        ConfigError: if a level or the pairs are not there.
        DataError: if maps cannot be read.
    """
    levels = image.levels
    if levels > MAX_LEVELS:
        raise ConfigError(
            f"`adjacency` takes at most {MAX_LEVELS:,} levels, and the model has {levels:,}: leave it out."
        )
    table = np.ones((4, levels, levels), bool)
    observed = _observed(rule, image, record)
    for direction, axis, pairs in ((RIGHT, 0, rule.right), (DOWN, 1, rule.down)):
        if observed is not None:
            table[direction] = observed[axis]
        elif pairs is not None:
            table[direction] = False
        for first, other in _numbers(pairs or (), image):
            table[direction, first, other] = True
        for first, other in _numbers(rule.never, image):
            table[direction, first, other] = table[direction, other, first] = False
        table[direction + 2] = table[direction].T
    return table


def _numbers(pairs: tuple[Pair, ...], image: ImageSpec) -> list[tuple[int, int]]:
    return [(level_number(first, image), level_number(other, image)) for first, other in pairs]


def _observed(rule: Adjacency, image: ImageSpec, record: Any) -> Pairs | None:
    if rule.observed is False:
        return None
    if isinstance(rule.observed, str):
        from pointillist.data import DataOptions, load_data  # needs torch, as the other cases do not

        maps = load_data(rule.observed, DataOptions(mode="codes", levels=image.levels, labels=False)).get("train")
        if maps.spec.channels != 1:
            raise ConfigError(f"`adjacency.observed` (={rule.observed}) must hold grids of one channel.")
        return pairs_of_images(maps)
    if record is None:
        raise ConfigError(
            "`adjacency` (=observed) needs the pairs of the training maps, which this model does not store: give the "
            'maps, as in `adjacency = {observed = "maps.npz"}`.'
        )
    return pairs_from_record(record, image.levels)
