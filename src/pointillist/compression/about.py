"""Facts that an archive holds next to levels: files of the pictures, values of the levels, the name of the model.

Values of an array are levels as they are, counted from the least, or by a table of the values that occur. A scanner
may use 211 of 55,040 values: a table of them costs what the gaps between them cost, and saves on each pixel the
logarithm of the gap around its value.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin, TiffTags

from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, DataError
from pointillist.files.reading import parse_object
from pointillist.images.spec import MAX_LEVELS, ImageSpec

COLOURS = {"RGB;16": 3, "RGBA;16": 4}
"""Modes of colour of 16 bits a channel, whose channels are below each other in one picture of levels."""
TAGS = {
    **dict.fromkeys(("33550", "33922", "34264", "34736"), TiffTags.DOUBLE),
    **dict.fromkeys(("34737", "42112", "42113"), TiffTags.ASCII),
    **dict.fromkeys(("34735", "262", "339"), TiffTags.SHORT),
}
"""Tags that are kept, with the types of their values: of GeoTIFF and GDAL, scale, place, keys and no data."""
_SAMPLES = {"262": [0], "339": [2]}
"""Tags that are kept with these values alone: 0 is white; samples are signed."""


@dataclass(frozen=True)
class PictureFile:
    """Facts about a file that an archive stores next to its pixels.

    Attributes:
        name: its path below the folder that was compressed, with slashes.
        mode: its mode, in Pillow's words.
        texts: texts of a PNG, such as the settings of a sample.
        blocks: EXIF data, colour profile, and chunks of PNG such as the resolution, base64.
        tags: tags of a TIFF file, by number.
        values: which value each level stands for, of each channel; empty for the level itself.
        min_is_white: whether level 0 is white, and the greatest black.
        clear: whether white is transparent.
        dropped: names of what the file has in addition, of which the archive says nothing.
    """

    name: str
    mode: str = "L"
    texts: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str | list[float]] = field(default_factory=dict)
    values: tuple[ValueMap, ...] = ()
    min_is_white: bool = False
    clear: bool = False
    dropped: frozenset[str] = frozenset()

    def to_json(self) -> list[Any]:
        extra: dict[str, object] = {"texts": dict(self.texts), "blocks": dict(self.blocks), "tags": dict(self.tags)}
        extra["values"] = [values.to_json() for values in self.values]
        extra |= {"min_is_white": self.min_is_white, "clear": self.clear}
        return [self.name, self.mode, {name: value for name, value in extra.items() if value}]

    @classmethod
    def from_json(cls, value: Any) -> PictureFile:
        """Read JSON values of a stranger.

        Raises:
            ArchiveError: if `to_json` did not write them.
        """
        wrong = ArchiveError("The archive has no valid facts of its files: it was not written by this package.")
        try:
            name, mode, further = value
            texts, blocks, tags = (dict(further.get(key, {})) for key in ("texts", "blocks", "tags"))
            values = tuple(map(ValueMap.from_json, further.get("values", ())))
            "".join((name, mode, *texts, *texts.values(), *blocks, *blocks.values()))
        except (TypeError, ValueError, AttributeError) as error:
            raise wrong from error
        valid = all(tag_value(key, tag) == tag for key, tag in tags.items())
        if not valid or len(values) not in (0, COLOURS.get(mode, 1)):
            raise wrong
        white, clear = (further.get(key) is True for key in ("min_is_white", "clear"))
        return cls(safe_name(name), mode, texts, blocks, tags, values, white, clear)


@dataclass(frozen=True)
class About:
    """Facts about the pictures of an archive.

    Attributes:
        model: name of its model, a hint for who decompresses.
        files: files of the pictures; None if they have none.
        array: what an array of the pictures holds: `levels`, `pictures` of 8 bits, or other `values`; empty for files.
        values: which value each level stands for; None for the level itself.
        single: whether the only picture is an array `[h, w]`.
        min_is_white: whether level 0 is the greatest value of an array of pictures.
    """

    model: str = ""
    files: tuple[PictureFile, ...] | None = None
    array: str = ""
    values: ValueMap | None = None
    single: bool = False
    min_is_white: bool = False

    def to_json(self) -> dict[str, Any]:
        values = {"model": self.model, "single": self.single, "array": self.array}
        values["values"] = None if self.values is None else self.values.to_json()
        values |= {"min_is_white": self.min_is_white, "files": [file.to_json() for file in self.files or ()]}
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> About:
        """Read JSON values of a stranger.

        Raises:
            ArchiveError: if `to_json` did not write them.
        """
        files, values = value.get("files"), value.get("values")
        try:
            named = None if files is None else tuple(map(PictureFile.from_json, files))
        except TypeError as error:
            raise ArchiveError("The archive has no valid files: it was not written by this package.") from error
        if named is not None and len({file.name for file in named}) < len(named):
            raise ArchiveError("The archive names a file twice: it was not written by this package.")
        single, white = (value.get(name) is True for name in ("single", "min_is_white"))
        chosen = None if values is None else ValueMap.from_json(values)
        return cls(str(value.get("model", "")), named, str(value.get("array", "")), chosen, single, white)


MAX_BYTES = 64 << 20
"""Largest size of the JSON."""
WORDS = (
    b'{"model":"{"single":true,"array":"values","values":["<i2",-1000,"eNr{"array":"pictures"}{"array":"levels"}'
    b'"tags":{"33550":[1.0,1.0,0.0],"33922":["min_is_white":true,"clear":true}]]}{"icc_profile":"{"exif":"'
    b'{"texts":{"Software":"{"blocks":{"gAMA":"AACxjw==","sRGB":"AA==","pHYs":"AAAOxAAADsQB"}}]]}"values":[["<u2",0]]'
    b'.png","P",{}]]}.png","RGBA",{}]]}.tif","I;16",{}]]}.jpg","RGB",{}]]}{"files":[[".png","L",{}]]}'
)
"""Words of the metadata of one picture, of which a header holds what it has in addition; frozen with version 5."""


def encode_json(values: Mapping[str, object], *, short: bool = False) -> bytes:
    """Return JSON values, compressed by zlib; `short`: as raw deflate that begins with `WORDS`.

    Raises:
        DataError: if they are too many.
    """
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > MAX_BYTES:
        raise DataError(
            f"The names of the files have {len(text):,} bytes, over the limit of {MAX_BYTES:,}: split them."
        )
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=WORDS) if short else zlib.compressobj(9)
    return coder.compress(text) + coder.flush()


def parse_json(content: bytes, name: str, *, short: bool = False) -> dict[str, Any]:
    """Return the values of `encode_json`, in the archive `name`.

    Raises:
        ArchiveError: if they are damaged or too large.
    """
    decoder = zlib.decompressobj(-zlib.MAX_WBITS, WORDS) if short else zlib.decompressobj()
    try:
        text = decoder.decompress(content, MAX_BYTES)
        if decoder.unconsumed_tail or decoder.unused_data or not decoder.eof:
            raise ArchiveError(f"The names in {name} are larger than {MAX_BYTES:,} bytes, or cut off: copy it again.")
        return parse_object(text.decode(), f"The data about {name}", "copy it again", ArchiveError)
    except (zlib.error, UnicodeDecodeError, DataError) as error:
        raise ArchiveError(f"The names in {name} cannot be read ({error}): copy it again.") from error


def tag_value(key: str, value: Any) -> str | list[float] | None:
    """Return what is kept of a tag of a TIFF file; None if it is not kept, or not of the type of its tag."""
    kind = TAGS.get(key)
    if kind == TiffTags.ASCII:
        return value if type(value) is str and max(value, default="") <= "\xff" else None
    numbers = list(value) if type(value) in (list, tuple) else [value]
    if kind is None or not {type(number) for number in numbers} <= {int, float, TiffImagePlugin.IFDRational}:
        return None
    if kind == TiffTags.SHORT:
        valid = all(number in range(1 << 16) for number in numbers) and numbers == _SAMPLES.get(key, numbers)
        return [int(number) for number in numbers] if valid else None
    return [float(number) for number in numbers] if all(abs(number) < 1e308 for number in numbers) else None


def safe_name(name: str) -> str:
    """Check that a name stays below the folder that it is written to.

    Raises:
        ArchiveError: if it does not.
    """
    path = PurePosixPath(name)
    parts = name.replace("\\", "/").split("/")
    if path.is_absolute() or not path.name or not set(parts).isdisjoint({"..", ".", ""}) or ":" in name:
        raise ArchiveError(f"The archive names a file {name!r}, which could lie anywhere: it is not written.")
    if not name.isprintable():
        raise ArchiveError(f"The archive names a file {name!r}, which does not print: it is not written.")
    return name


def choose_used(levels: IntArray, image: ImageSpec) -> NDArray[np.int64] | None:
    """Return which levels of pictures `[n, c, h, w]` occur, `[c, levels]`: all of a channel whose table would not pay.

    None if no table would, or the model has more than 256 levels: a table of a record would be large.
    """
    few = image.ordered and image.levels <= 256
    tables = [ValueMap.choose(x.astype(np.uint8), image.levels).table for x in levels.swapaxes(0, 1) if few]
    every = np.arange(image.levels)
    used = [np.isin(every, every if table is None else table) for table in tables]
    return None if all(table is None for table in tables) else np.stack(used).astype(np.int64)


def numbers_of(levels: IntArray, used: IntArray) -> NDArray[np.int64]:
    """Return the numbers of levels `[n, c, h, w]` among those that are used, `[c, levels]`."""
    return _levels_by_number(used).argsort(1)[np.arange(len(used))[:, None, None], levels]


def levels_of(numbers: IntArray, used: IntArray) -> IntArray:
    """Return the levels of numbers `[n, c, h, w]`: those that are used come first, and no number is wrong."""
    return np.asarray(_levels_by_number(used).astype(numbers.dtype)[np.arange(len(used))[:, None, None], numbers])


def _levels_by_number(used: IntArray) -> NDArray[np.int64]:
    return np.argsort(used == 0, axis=1, kind="stable")


TYPES = ("|u1", "|i1", "|b1", *(order + kind for order in "<>" for kind in ("u2", "i2", "u4", "i4", "i8")))
"""Types of arrays that an archive can restore, with the order of their bytes."""
WORTH = 2
"""A table must save as many times its own size, which is an estimate."""
REPEATS = 0.75
"""Share of the bytes that zlib must save without a table, for values whose differences repeat."""
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
        if high - first < levels and (not table._pays(counts) or table._hides(values)):
            return cls(dtype, first)
        if len(used) > levels or high - low >= 1 << 32:
            raise DataError(
                f"The values {low:,} to {high:,} are more than the {levels:,} levels of the model: quantise them "
                "first, or use a model of more levels."
            )
        return table

    def to_levels(self, values: IntArray) -> NDArray[np.int64]:
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

    def _hides(self, values: IntArray) -> bool:
        """Return True if values repeat their differences more often than levels of the table do."""
        both = (values, self.to_levels(values))
        by_value, by_level = (len(zlib.compress(np.diff(x.reshape(-1).astype("<i4")).tobytes())) for x in both)
        return by_value < REPEATS * by_level
