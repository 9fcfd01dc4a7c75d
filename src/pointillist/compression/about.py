"""Facts that an archive holds next to levels: files of the pictures, values of the levels, the name of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from PIL import TiffImagePlugin, TiffTags

from pointillist.compression.arrays.values import ValueMap
from pointillist.errors import ArchiveError

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
        extra: dict[str, Any] = {"texts": dict(self.texts), "blocks": dict(self.blocks), "tags": dict(self.tags)}
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
