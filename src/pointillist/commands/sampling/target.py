"""The format and the path of an output: by the ending of the path, or as given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointillist.commands.paths import fresh_output

MAP_KINDS = ("tmj", "tmx", "csv", "txt", "png")
"""Formats of maps, as in `data/tilemaps/write.py`, which the command line need not import to list them."""
ARRAY_KINDS = ("npy", "gslib")
"""Formats of one grid of levels in a file."""
FOLDER_KINDS = ("files", *ARRAY_KINDS)
FORMATS = ("image", "sheet", "npz", "atlas", *FOLDER_KINDS, *MAP_KINDS)
_ENDINGS = {"npz": ".npz", **dict.fromkeys((*FOLDER_KINDS, *MAP_KINDS), "")}


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
    from pointillist.errors import ConfigError

    typed = form
    path = Path(out)
    if form is None:
        folder = out.endswith(("/", "\\")) or path.is_dir() or not path.suffix
        form = _form_of(path.suffix.lower().removeprefix("."), folder)
    if form not in FORMATS:
        raise ConfigError(f"`--format` (={form!r}) must be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
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
