"""Errors that a user can cause, as one sentence each. Other errors stay tracebacks."""

from __future__ import annotations

import errno
import os

import typer

from pointillist.errors import PointillistError, shorten

EXIT_STOPPED = 130  # what shells report for a program ended by Ctrl-C
_REMEDIES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EFBIG: "free some space, or write to another disk",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file, so choose another",
    errno.EEXIST: "a file is where a folder should be, so choose another path",
    errno.EISDIR: "it is a folder, so choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def user_message(error: BaseException) -> str | None:
    """Return the sentence for an error that a user can cause; None for any other."""
    if isinstance(error, PointillistError):
        return str(error)
    if isinstance(error, OSError) and error.errno not in (None, errno.EPIPE):
        where = f"{shorten(str(error.filename))}: " if error.filename else ""
        remedy = _REMEDIES.get(error.errno or 0, "check the path and the disk")
        return f"{where}{(error.strerror or 'input or output failed').lower()}; {remedy}."
    kind = f"{type(error).__module__}.{type(error).__name__}"
    if isinstance(error, MemoryError) or kind.endswith(".OutOfMemoryError") or "can't allocate memory" in str(error):
        return "The memory is not enough: use a smaller `--batch-size`, smaller images or a smaller model."
    if kind.endswith("SafetensorError"):  # writing: reading is checked where it happens
        return f"The weights could not be written ({error}): check the space on the disk."
    return None


def print_error(sentence: str, label: str = "Error: ") -> None:
    """Print one sentence on stderr; under torchrun, with the rank of the process."""
    rank = os.environ.get("RANK", "0")
    typer.echo(f"{label if rank == '0' else f'process {rank}: '}{sentence}", err=True)
