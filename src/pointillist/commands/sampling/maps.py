"""Write sampled maps: files for Tiled, CSV, text and drawn pictures, with what lies next to them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.paths import reject_existing
from pointillist.commands.sampling.target import MAP_KINDS, is_map_file
from pointillist.errors import ConfigError

if TYPE_CHECKING:
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


def encode_maps(part: Samples, kind: str) -> list[bytes]:
    """Return the bytes of each map."""
    from pointillist.data.tilemaps import MapFiles

    files = MapFiles.of(part.image, part.tileset)
    return [files.encode(levels, kind) for levels in part.levels[:, 0]]


def companion_files(part: Samples, kind: str) -> dict[str, bytes]:
    """Return what files of a format need next to them, by name: a tileset, a legend or nothing."""
    from pointillist.data.tilemaps import MapFiles

    return MapFiles.of(part.image, part.tileset).companions(kind) if kind in MAP_KINDS else {}


def write_map(path: Path, parts: Iterable[Samples], kind: str, force: bool) -> None:
    """Write one map, and the files next to it.

    Raises:
        ConfigError: if another tileset or legend is there, unless `force` is set.
    """
    from pointillist.files.writing import atomic_path

    (part,) = parts
    contents = {path: encode_maps(part, kind)[0]}
    for name, content in companion_files(part, kind).items():
        target = path.with_name(name)
        if not target.exists() or target.read_bytes() != content:
            reject_existing(target, force)
            contents[target] = content
    for target, content in contents.items():
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
