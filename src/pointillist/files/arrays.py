"""Arrays next to a JSON document: named when it is written, looked up and checked when it is read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.errors import CheckpointError

Array = NDArray[Any]
SCALE_SUFFIX = "_scale"
"""End of the name of the array that holds the scales of an int8 matrix."""


class ArrayWriter:
    """Give each array a name; an array that is used twice is stored once.

    ```python
    arrays = ArrayWriter()
    arrays.name(matrix)  # "0"
    ```
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, str] = {}

    def name(self, array: Array) -> str:
        """Return the name of an array."""
        if id(array) not in self._names:
            self._names[id(array)] = str(len(self.arrays))
            self.arrays[str(len(self.arrays))] = np.ascontiguousarray(array)
            self._kept = getattr(self, "_kept", [])
            self._kept.append(array)  # an id belongs to an array as long as it lives
        return self._names[id(array)]


class ArrayReader:
    """Look up arrays by name, of a type and shape that the reader expects."""

    def __init__(self, arrays: dict[str, Array], where: str) -> None:
        self._arrays, self.where = arrays, where

    def get(self, name: Any, dtype: str, shape: tuple[int | None, ...]) -> Array:
        """Return an array.

        Args:
            name: its name.
            dtype: its type.
            shape: its shape, with None for any size.

        Raises:
            CheckpointError: if there is none, or it is of another type or shape.
        """
        array = self._arrays.get(name) if isinstance(name, str) else None
        if array is None or array.dtype != dtype or array.ndim != len(shape):
            raise self.damaged(f"array {name!r} is missing or of another type")
        if any(due is not None and due != size for due, size in zip(shape, array.shape, strict=True)):
            raise self.damaged(f"array {name!r} has the shape {array.shape}")
        return array

    def damaged(self, why: str) -> CheckpointError:
        """Return the error of a damaged file."""
        return CheckpointError(f"{self.where} is damaged ({why}): copy or make it again.")
