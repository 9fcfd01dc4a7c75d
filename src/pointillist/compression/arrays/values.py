"""Values of an array as levels: as they are, counted from the least, or by a table of the values that occur.

A scanner may use 211 of 55,040 values. A table of them costs what the gaps between them cost, and saves on each pixel
the logarithm of the gap around its value.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, DataError
from pointillist.images.spec import MAX_LEVELS

TYPES = ("|u1", "|i1", "|b1", *(order + kind for order in "<>" for kind in ("u2", "i2", "u4", "i4", "i8")))
"""Types of arrays that an archive can restore, with the order of their bytes."""
WORTH = 2
"""A table must save as many times its own size, which is an estimate."""
_SINGLE = 16
"""Added to the number of a type in a header: the only picture is an array `[h, w]`."""


def to_header(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return two numbers that describe an array without a table of values; None for other metadata."""
    dtype, first, *table = metadata.get("values") or ("", 0)
    if metadata.keys() - {"array", "values", "single"} or table or dtype not in TYPES or abs(first) >= 1 << 31:
        return None
    return TYPES.index(dtype) + _SINGLE * metadata.get("single", False), 2 * first if first >= 0 else -2 * first - 1


def from_header(kind: int, first: int) -> dict[str, Any]:
    """Return the metadata that `to_header` describes.

    Raises:
        ArchiveError: for a type that there is not.
    """
    if kind >= 2 * _SINGLE or kind % _SINGLE >= len(TYPES):
        raise ArchiveError("The header of the archive has no valid type of its values: the archive is damaged.")
    values = [TYPES[kind % _SINGLE], -(first + 1) // 2 if first % 2 else first // 2]
    return {"array": "values", "values": values, **({"single": True} if kind >= _SINGLE else {})}


@dataclass(frozen=True, eq=False)
class ValueMap:
    """Which value each level stands for.

    ```python
    values = np.array([[-1000, 40], [40, 3000]], np.int16)
    map = ValueMap.choose(values, 65_536)
    map.to_values(map.to_levels(values))  # the same, as int16
    ```

    Attributes:
        dtype: type of the values, in numpy's words.
        first: value of level 0; without a table, values follow each other.
        table: the values that occur, ascending; None for all from `first` on.
    """

    dtype: str
    first: int = 0
    table: NDArray[np.int64] | None = None

    @classmethod
    def choose(cls, values: IntArray, levels: int) -> ValueMap:
        """Choose how values become levels.

        Raises:
            DataError: if they are not integers, or more than the model has levels.
        """
        dtype = values.dtype.str
        if dtype not in TYPES:
            raise DataError(
                f"Values of type {values.dtype} cannot become levels: give integers of 8 to 32 bits, or int64."
            )
        if not values.size:
            return cls(dtype)
        low, high = int(values.min()), int(values.max())
        occurring, counts = np.unique(values, return_counts=True)
        used: NDArray[np.int64] = occurring.astype(np.int64)
        first = 0 if low >= 0 and high < levels else low
        table = cls(dtype, int(used[0]), used)
        if high - first < levels and not table._pays(counts):
            return cls(dtype, first)
        if len(used) > levels or high - low >= 1 << 32:
            raise DataError(
                f"The values {low:,} to {high:,} are more than the {levels:,} levels of the model: quantise them "
                "first, or use a model of more levels."
            )
        return table

    def to_levels(self, values: IntArray) -> NDArray[np.int64]:
        """Return values as levels."""
        if self.table is None:
            return values.astype(np.int64) - self.first
        return np.searchsorted(self.table, values.astype(np.int64))

    def to_values(self, levels: IntArray) -> IntArray:
        """Return levels as values of their type.

        Raises:
            ArchiveError: if there is no value for one.
        """
        try:
            values = levels.astype(np.int64) + self.first if self.table is None else self.table[levels]
        except IndexError as error:
            raise ArchiveError(
                "The archive has a level without a value: it was not written by this package."
            ) from error
        return np.asarray(values).astype(self.dtype)

    def to_json(self) -> list[Any]:
        return [self.dtype, self.first, *([] if self.table is None else [base64.b64encode(self._packed()).decode()])]

    @classmethod
    def from_json(cls, value: Any) -> ValueMap:
        """Read JSON values of a stranger.

        Raises:
            ArchiveError: if `to_json` did not write them.
        """
        wrong = ArchiveError("The archive has no valid values of its levels: it was not written by this package.")
        if not isinstance(value, list) or len(value) not in (2, 3) or value[0] not in TYPES:
            raise wrong
        if not isinstance(value[1], int) or abs(value[1]) >= 1 << 62:
            raise wrong
        if len(value) == 2:
            return cls(value[0], value[1])
        decoder = zlib.decompressobj()
        try:
            gaps = decoder.decompress(base64.b64decode(value[2], validate=True), 4 * MAX_LEVELS)
        except (zlib.error, binascii.Error, TypeError, ValueError) as error:
            raise wrong from error
        if not decoder.eof or len(gaps) % 4:
            raise wrong
        table = value[1] + np.concatenate([[0], np.frombuffer(gaps, "<u4").astype(np.int64).cumsum()])
        return cls(value[0], value[1], table)

    def _packed(self) -> bytes:
        assert self.table is not None
        return zlib.compress(np.diff(self.table).astype("<u4").tobytes(), 9)

    def _pays(self, counts: IntArray) -> bool:
        """Return True if the gaps between the values save more than the table costs."""
        assert self.table is not None
        if len(self.table) < 2 or int(np.diff(self.table).max()) == 1:
            return False
        inside = np.concatenate([self.table[:1], self.table, self.table[-1:]])
        spacing = np.maximum((inside[2:] - inside[:-2]) / 2, 1.0)
        return float((counts * np.log2(spacing)).sum()) > WORTH * 8 * len(self._packed())
