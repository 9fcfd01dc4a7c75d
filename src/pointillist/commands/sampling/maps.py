"""The format, the path and the colours of an output; files of maps, with what lies next to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.paths import fresh_output, reject_existing
from pointillist.commands.report import note
from pointillist.data.palette import Palette, read_palette
from pointillist.errors import ConfigError, check_name

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset
    from pointillist.images import ImageSpec
    from pointillist.sampling.samples import Samples


MAP_KINDS = ("tmj", "tmx", "csv", "txt", "png")
"""Formats of maps, as in `data/tilemaps/write.py`, which the command line need not import to list them."""
ARRAY_KINDS = ("npy", "gslib")
"""Formats of one grid of levels in a file."""
FOLDER_KINDS = ("files", *ARRAY_KINDS)
FORMATS = ("image", "sheet", "npz", "atlas", *FOLDER_KINDS, *MAP_KINDS)
_ENDINGS = {"npz": ".npz", **dict.fromkeys((*FOLDER_KINDS, *MAP_KINDS), "")}


def read_colours(palette: Path | None, kind: str, image: ImageSpec) -> Palette | None:
    """Read the palette of the pictures that are written; None for the palette of the model.

    Raises:
        ConfigError: if the model has none, or one of more colours, or levels are written.
    """
    if palette is None:
        return None
    colours = read_palette(palette)
    image.recoloured(colours)
    if kind in ("npz", *ARRAY_KINDS):
        raise ConfigError(
            f"`--palette` (={palette}) changes nothing of an .{kind}, which holds levels: write pictures, or leave it "
            "out."
        )
    return colours


@contextmanager
def target(out: str | None, form: str | None, force: bool, name: str = "samples") -> Iterator[tuple[str, Path]]:
    """Yield the format and path of the output: from the file extension or `--format`.

    Without a path it is `name` with the ending of the format, or the next free name, which is locked; with `force` the
    first.

    Raises:
        ConfigError: for another format, or an extension of another format.
    """
    if out is not None:
        yield _resolved(out, form)
        return
    with fresh_output(Path(f"{name}{_ENDINGS.get(form or '', '.png')}"), force) as path:
        yield _resolved(str(path), form)


def _resolved(out: str, form: str | None) -> tuple[str, Path]:
    typed = form
    path = Path(out)
    if form is None:
        folder = out.endswith(("/", "\\")) or path.is_dir() or not path.suffix
        form = _form_of(path.suffix.lower().removeprefix("."), folder)
    check_name("Unknown `--format`", form, FORMATS)
    if typed == "npz" and path.suffix.lower() != ".npz":
        raise ConfigError(f"`--out` (={out}) must end in .npz for `--format npz`: an archive of another name misleads.")
    if typed in FOLDER_KINDS and path.suffix.lower() in (".png", ".npz", ".gif", ".npy", ".gslib"):
        raise ConfigError(f"`--out` (={out}) must be a folder for `--format {typed}`: give DIR/.")
    if form in MAP_KINDS and is_map_file(path) and path.suffix.lower() != f".{form}":
        raise ConfigError(f"`--out` (={out}) must end in .{form} for `--format {form}`, or be a folder: give DIR/.")
    return form, path


def is_map_file(path: Path) -> bool:
    """Return True if a path of maps is one file; otherwise it is a folder."""
    return bool(path.suffix) and not path.is_dir()


def _form_of(ending: str, folder: bool) -> str:
    """Return the format that an ending chooses; a `.png` is a sheet, also of maps."""
    if folder:
        return "files"
    return ending if ending == "npz" or (ending in MAP_KINDS and ending != "png") else "sheet"


def encode_maps(part: Samples, kind: str, folder: Path) -> list[bytes]:
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
            where = "this folder" if folder == Path() else folder
            note(
                f"note       {tileset.source}, the tileset of the training maps, is not in {where}: the maps get a "
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
