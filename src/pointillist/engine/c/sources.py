"""Sources in C and JavaScript that run programs elsewhere: part of the wheel, `runtime/` in the repository."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "runtime", _PACKAGE.parents[1] / "runtime")


def runtime_text(name: str) -> str:
    """Return the text of a source, such as `pointillist.c`."""
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    return (folder / name).read_text(encoding="utf-8")
