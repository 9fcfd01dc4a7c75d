"""Write sampled maps: files for Tiled, CSV, text and drawn pictures, with what lies beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.cli.output import reject_existing
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from pointillist.data.tilemaps import Tileset
    from pointillist.images import ImageSpec
    from pointillist.sampling.samples import Samples

MAP_KINDS = ("tmj", "tmx", "csv", "txt", "png")
"""Formats of maps: those of `data/tilemaps/write.py`, which the command line need not import to list them."""


def map_kind(path: Path) -> str | None:
    """Return the format of maps that the ending of a path chooses; None for others, such as the sheet of a `.png`."""
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in MAP_KINDS and ending != "png" else None


def check_map_path(path: Path, kind: str) -> None:
    """Reject a path whose ending is that of another format.

    Raises:
        ConfigError: naming the remedy.
    """
    if path.suffix and not path.is_dir() and path.suffix.lower() != f".{kind}":
        raise ConfigError(f"`--out` (={path}) must end in .{kind} for `--format {kind}`, or be a folder: give DIR/.")


def is_map_file(path: Path) -> bool:
    """Tell whether a path of maps is one file; otherwise it is a folder."""
    return bool(path.suffix) and not path.is_dir()


def check_maps(path: Path, kind: str, total: int, image: ImageSpec, force: bool) -> None:
    """Reject, before sampling, maps that could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    if image.mode != "codes" or image.channels != 1:
        raise ConfigError(f"`--format {kind}` is for maps of tiles, and this model samples {image}: leave it out.")
    if not is_map_file(path):
        return
    if total > 1:
        raise ConfigError(f"A .{kind} holds one map, not {total:,}: give DIR/, or `-n 1`.")
    reject_existing(path, force)


def encode_maps(part: Samples, kind: str) -> list[bytes]:
    """Return the bytes of each map."""
    from pointillist.data.tilemaps import MapFiles

    files = MapFiles.of(part.image, part.tileset)
    return [files.encode(levels, kind) for levels in part.levels[:, 0].numpy()]


def files_beside(image: ImageSpec, tileset: Tileset | None, kind: str) -> dict[str, bytes]:
    """Return what maps need beside them, by name: the tileset, or the legend."""
    from pointillist.data.tilemaps import MapFiles

    return MapFiles.of(image, tileset).beside(kind)


def write_map(path: Path, parts: Iterable[Samples], kind: str, force: bool) -> None:
    """Write one map, and the files beside it.

    Raises:
        ConfigError: if another tileset or legend is there, unless `force` is set.
    """
    from pointillist.files.writing import atomic_path

    (part,) = parts
    contents = {path: encode_maps(part, kind)[0]}
    for name, content in files_beside(part.image, part.tileset, kind).items():
        beside = path.with_name(name)
        if not beside.exists() or beside.read_bytes() != content:
            reject_existing(beside, force)
            contents[beside] = content
    for target, content in contents.items():
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)


def pixel_ranks(rank: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the rank of each pixel of a drawn map, from that of each cell: the pixels of a tile follow each other.

    Args:
        rank: of the cells, `[h w]`.
        size: height and width of the picture.
    """
    import numpy as np

    height, width = size[0] // rank.shape[0], size[1] // rank.shape[1]
    inner = np.arange(height * width).reshape(height, width)
    found: np.ndarray = np.kron(rank, np.full_like(inner, height * width)) + np.tile(inner, rank.shape)
    return found
