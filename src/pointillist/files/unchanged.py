"""Read a folder once while its files have not changed, within a limit of memory."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

Content = TypeVar("Content")
MAX_BYTES = 2**27
"""Bytes of the files of all folders that stay in memory; the folder that was read last stays in any case."""

_Files = tuple[tuple[str, int, int, int], ...]


class ReadOnce(Generic[Content]):
    """Contents of folders, each read again only when a file has another size or time of change.

    So a call by name is as fast as a call with an open model, and sees files that another process has written.

    ```python
    models = ReadOnce(PortableModel.read)
    models(Path("digits")) is models(Path("digits"))  # True
    ```

    Args:
        read: reads a folder; what it raises is not kept.
    """

    def __init__(self, read: Callable[[Path], Content]) -> None:
        self._read = read
        self._contents: OrderedDict[str, tuple[_Files, Content]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, folder: Path) -> Content:
        key, files = os.path.abspath(folder), _files_of(folder)
        with self._lock:
            known = self._contents.get(key)
            if known is not None and known[0] == files:
                self._contents.move_to_end(key)
                return known[1]
        content = self._read(folder)
        if files == _files_of(folder):  # not while another process writes them
            with self._lock:
                self._contents[key] = files, content
                self._contents.move_to_end(key)
                while len(self._contents) > 1 and self._bytes() > MAX_BYTES:
                    self._contents.popitem(last=False)
        return content

    def _bytes(self) -> int:
        return sum(size for files, _ in self._contents.values() for _, size, *_ in files)


def _files_of(folder: Path) -> _Files:
    """List name, size, time of change and inode of the files of a folder; none if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats))
