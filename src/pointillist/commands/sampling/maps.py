"""Write sampled maps: files for Tiled, CSV, text and drawn pictures, with what lies next to them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.paths import reject_existing
from pointillist.commands.report import note
from pointillist.commands.sampling.target import MAP_KINDS, is_map_file
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset
    from pointillist.images import ImageSpec
    from pointillist.sampling.samples import Samples


def check_maps(path: Path, kind: str, total: int, image: ImageSpec, force: bool) -> None:
    """Reject, before sampling, maps that could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    if image.mode != "codes" or image.channels != 1:
        raise ConfigError(
            f"`--format {kind}` is for maps of tiles, and this model samples {image}: "
            "write PNG files by `--format files`."
        )
    if not is_map_file(path):
        return
    if total > 1:
        raise ConfigError(f"A .{kind} holds one map, not {total:,}: give DIR/, or `-n 1`.")
    reject_existing(path, force)


def encode_maps(part: Samples, kind: str, folder: Path) -> list[bytes]:
    """Return the bytes of each map that will lie in a folder."""
    from pointillist.data.tilemaps import MapFiles

    files = MapFiles.of(part.image, part.tileset, folder)
    return [files.encode(levels, kind) for levels in part.levels[:, 0]]


def companion_files(part: Samples, kind: str, folder: Path) -> dict[str, bytes]:
    """Return what files of a format in a folder need next to them, by name: a tileset, a legend or nothing."""
    from pointillist.data.tilemaps import MapFiles

    return MapFiles.of(part.image, part.tileset, folder).companions(kind) if kind in MAP_KINDS else {}


def note_source(kind: str, image: ImageSpec, tileset: Tileset | None, folder: Path) -> None:
    """Say which tileset maps of Tiled name, where the maps of the training named a file."""
    from pointillist.data.tilemaps import MapFiles

    if kind in ("tmj", "tmx") and tileset is not None and tileset.source:
        if MapFiles.of(image, tileset, folder).uses_source:
            note(f"note       the maps use {tileset.source}, the tileset of the training maps")
        else:
            note(
                f"note       {tileset.source}, the tileset of the training maps, is not in {folder}: the maps get a "
                "copy of its tiles with other numbers"
            )


def write_map(path: Path, parts: Iterable[Samples], kind: str, force: bool) -> None:
    """Write one map, and the files next to it.

    Raises:
        ConfigError: if another tileset or legend is there, unless `force` is set.
    """
    from pointillist.files.writing import atomic_path

    (part,) = parts
    note_source(kind, part.image, part.tileset, path.parent)
    contents = {path: encode_maps(part, kind, path.parent)[0]}
    for name, content in companion_files(part, kind, path.parent).items():
        target = path.with_name(name)
        if not target.exists() or target.read_bytes() != content:
            reject_existing(target, force)
            contents[target] = content
    for target, content in contents.items():
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
