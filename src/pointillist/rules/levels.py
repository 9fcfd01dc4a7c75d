"""Look up what rules name: levels, and ranges of rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
from jaxtyping import Bool

from pointillist.errors import ConfigError, quote
from pointillist.images import ImageSpec
from pointillist.rules.config import Level

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
