"""Functions that numpy and torch spell differently, so that integer arithmetic is written once for both.

Methods and functions that both have under one name, with numpy's keywords, are used as they are.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of numpy, or a tensor of torch."""


def library_of(x: Array) -> Any:
    """Return the module of an array: numpy, or torch, which is not imported here."""
    return sys.modules[type(x).__module__.partition(".")[0]]


def int64(x: Array) -> Array:
    """Convert to 64 bits."""
    return x.long() if hasattr(x, "long") else x.astype("int64")


def count_like(count: int, x: Array) -> Array:
    """Return 0, 1, ... in the library and on the device of an array."""
    library = library_of(x)
    return library.arange(count, device=x.device) if hasattr(x, "long") else library.arange(count)


def take_last(x: Array, index: Array) -> Array:
    """Read entries of the last axis, at as many indices for each of the other axes."""
    library = library_of(x)
    take = library.take_along_dim if hasattr(x, "long") else library.take_along_axis
    return take(x, index, -1)


def cast(x: Array, like: Array) -> Array:
    """Convert to the type of another array."""
    return x.to(like.dtype) if hasattr(x, "long") else x.astype(like.dtype)
