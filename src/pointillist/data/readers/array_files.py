"""Open `.npy` and `.npz` files: never pickle, never a pipe or device, and never more than fits in memory."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from lzma import LZMAError
from pathlib import Path
from typing import IO

import numpy as np

from pointillist import system
from pointillist.data.raw import SPLIT_ALIASES
from pointillist.errors import DataError
from pointillist.files.reading import check_file

# exceptions of numpy and zipfile on damaged files; numpy parses the header of an array as Python text
_BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, RuntimeError, SyntaxError, TypeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, LZMAError, tokenize.TokenError),
)


def load_npy(path: Path) -> np.ndarray:
    """Load the array of an `.npy` file.

    Raises:
        DataError: if it is damaged, no ordinary file, made of Python objects, or larger than memory.
    """
    try:
        check_file(path)
        return _read(lambda: path.open("rb"), str(path))
    except _BROKEN as error:
        raise _unreadable(path, error) from error


class NpzFile:
    """An `.npz` file, whose members are read one at a time, each after its header is checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            check_file(path)
            with zipfile.ZipFile(path) as file:
                self.names: tuple[str, ...] = tuple(
                    n.removesuffix(".npy") for n in file.namelist() if n.endswith(".npy")
                )
        except _BROKEN as error:
            raise _unreadable(path, error) from error

    def read(self, member: str) -> np.ndarray:
        """Read the array called `member`.

        Raises:
            DataError: if it is damaged, made of Python objects, or larger than memory.
        """
        try:
            with zipfile.ZipFile(self.path) as file:
                return _read(lambda: file.open(member + ".npy"), f"{self.path.name}:{member}")
        except _BROKEN as error:
            raise _unreadable(self.path, error) from error

    def find(self, stems: Sequence[str]) -> dict[str, str]:
        """Return `{split: member}` for the first of `stems` that exists; the split of a plain `x` is "".

        `x_train` and `train_x` are members of the split train, and so on.
        """
        for stem in stems:
            result = {"": stem} if stem in self.names else {}
            for alias, split in SPLIT_ALIASES.items():
                for member in (f"{stem}_{alias}", f"{alias}_{stem}"):
                    if not result.get("") and member in self.names:
                        result.setdefault(split, member)
            if result:
                return result
        return {}


def _read(open_file: Callable[[], IO[bytes]], name: str) -> np.ndarray:
    """Read an array once the type and size that its header claims are checked, before numpy allocates it."""
    with open_file() as file:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(file)
    if dtype.hasobject:
        raise DataError(
            f"{name} holds Python objects, stored as pickle, which could run code: save plain numbers or strings."
        )
    size = int(np.prod([int(s) for s in shape], dtype=object)) * dtype.itemsize if shape else dtype.itemsize
    system.check_memory(size, name, "store fewer images, or a smaller type such as uint8")
    with open_file() as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _unreadable(path: Path, error: BaseException) -> DataError:
    if isinstance(error, DataError):
        return error
    reason = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
    saver = "numpy.save" if path.suffix == ".npy" else "numpy.savez_compressed"
    return DataError(f"{path} cannot be read as {path.suffix[1:]} ({reason}): write it again with {saver}.")
