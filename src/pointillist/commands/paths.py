"""Paths of outputs: rejected where something is, or the next free name."""

from __future__ import annotations

from pathlib import Path

from pointillist.errors import ConfigError
from pointillist.files.writing import is_stream


def reject_existing(path: Path, force: bool) -> None:
    """Reject a path that exists, unless `force` is set; a device and a named pipe are written to, not replaced.

    Raises:
        ConfigError: naming `--force`.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give the name of a file.")
    if path.exists() and not is_stream(path) and not force:
        raise ConfigError(f"{path} is already there: add `--force` to replace it, or give another path.")


def fresh_path(path: Path, force: bool) -> Path:
    """Return a path that does not exist: itself, or `samples-2.png`, `samples-3.png` and so on for `samples.png`.

    With `force` it is the path itself, which is replaced.
    """
    result, number = path, 1
    while result.exists() and not force:
        number += 1
        result = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return result


def check_animation(path: Path, kind: str, force: bool) -> None:
    """Reject an animation that could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    if kind not in ("sheet", "image"):
        raise ConfigError("`--animate` goes with a sheet: leave out `--out`, or give NAME.png.")
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"`--animate` (={path}) must end in .gif.")
    reject_existing(path, force)
