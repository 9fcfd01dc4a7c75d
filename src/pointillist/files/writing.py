"""Write outputs: each file appears whole or not at all, and one output has one writer.

A file is written under a temporary name and renamed, so a reader finds either the old one or the new one. A device or
a named pipe is not replaced: the finished bytes are written to it.

The lock of an output names its process, and no dead process keeps it. It is the system's own (`flock`) on a file whose
text names the owner. The system frees it when the process ends, however it ends, so a file that is left behind is taken
over. Without such a lock (Windows, some network disks), the process that the file names is looked for.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import secrets
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from pointillist.errors import ConfigError
from pointillist.files.reading import describe_impossible
from pointillist.system import format_bytes

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""Name of the lock in a folder that a command fills."""
_MAX_BYTES = 4096
_MAX_NAME_BYTES = 255  # of a file, on the usual file systems
_TRIES = 10
_held: set[tuple[str, int]] = set()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, and atomically replace `path` by it if the block raises nothing.

    Example:
        ```python
        with atomic_path(Path("out.json")) as temporary:
            temporary.write_text("{}")
        ```

    Raises:
        ConfigError: if a folder has the name of the file, or no file can have it.
        OSError: naming `path`, never the temporary file.
    """
    reject_folder(path)
    if is_stream(path):
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "out"
            whole.touch()
            yield whole
            with whole.open("rb") as file, path.open("wb") as stream:
                shutil.copyfileobj(file, stream)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _errors_naming(path):
        temporary, handle = _open_temporary(path)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            if path.is_file():
                shutil.copymode(path, temporary)
            if os.name == "nt":  # an open file cannot be renamed there
                os.close(handle)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            with suppress(OSError):
                os.close(handle)


@contextmanager
def _errors_naming(path: Path) -> Iterator[None]:
    """Let errors of the temporary file of an output name the output, which is the file that the user knows."""
    try:
        yield
    except OSError as error:
        name = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else path
        if name.parent == path.parent and name.name.startswith(".") and name.name.endswith(".tmp"):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def whole_folder(folder: Path) -> Iterator[None]:
    """Make a folder for what the block writes; if the block fails, remove what it has added.

    ```python
    with whole_folder(Path("model")):
        write_text(Path("model/config.json"), "{}")
    ```
    """
    _reject_impossible(folder)
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    try:
        yield
    except BaseException:
        for path in set(folder.iterdir()) - before:
            path.unlink()
        raise


def is_stream(path: Path) -> bool:
    """Return True for a device or a named pipe, which is written to and never replaced.

    Raises:
        ConfigError: if it is a socket.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISSOCK(mode):
        raise ConfigError(f"{path} is a socket: give the name of a file.")
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)


def reject_stream(path: Path) -> None:
    """Reject a device, a named pipe or a socket, where a file or a folder is filled step by step.

    Raises:
        ConfigError: naming it.
    """
    if is_stream(path):
        raise ConfigError(f"{path} is a device or a pipe: give the name of a file or a folder.")


def reject_folder(path: Path) -> None:
    """Reject a folder that has the name of a file to write, and a name that no file has.

    Raises:
        ConfigError: naming it.
    """
    _reject_impossible(path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, where a file is to be written: move it away, or give another path.")


def _reject_impossible(path: Path) -> None:
    """Reject a name with NUL or with half of a character."""
    if wrong := describe_impossible(path):
        raise ConfigError(f"{path} {wrong}: give another path.")


def check_disk(out: Path, needed: int) -> None:
    """Reject an output that its disk has no room for.

    ```python
    check_disk(Path("big.npz"), 10**15)  # ConfigError: big.npz would take 931,322.6 GiB, and 60.1 GiB are free ...
    ```

    Args:
        out: the file or folder to write.
        needed: its bytes, at least.

    Raises:
        ConfigError: with both sizes.
    """
    folder = next(path for path in Path(os.path.abspath(out)).parents if path.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigError(
            f"{out} would take {format_bytes(needed)}, and {format_bytes(free)} are free on its disk: ask for fewer "
            "images, or give a path on another disk."
        )


def _open_temporary(path: Path) -> tuple[Path, int]:
    """Open the temporary file of an output, with the permissions that `umask` leaves, and lock it.

    What a process left that was killed is taken over; while another one writes, the name gets a random part.
    """
    name = f".{path.name}.tmp"
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.tmp"
    temporary = path.with_name(name)
    for _ in range(_TRIES if fcntl is not None else 0):
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except (IsADirectoryError, PermissionError):  # a folder, or a file of another user, has its name
            break
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(handle, temporary):
                os.ftruncate(handle, 0)
                return temporary, handle
        except OSError:  # another process writes, or the disk has no locks
            os.close(handle)
            break
        os.close(handle)  # its last owner renamed it in between
    temporary = path.with_name(f"{name.removesuffix('.tmp')[: _MAX_NAME_BYTES - 24]}.{secrets.token_hex(8)}.tmp")
    return temporary, os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)


def write_text(path: Path, text: str) -> None:
    r"""Write text to a file atomically; bytes of file names that are not UTF-8 become `\udcff`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def open_table(path: Path) -> TextIO:
    r"""Open a CSV file for writing; bytes of file names that are not UTF-8 become `\udcff`."""
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Lock a folder that a command fills, such as a run or a model; see `exclusive`. New folders are not left empty."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with exclusive(folder / LOCK, folder):
            yield
    finally:
        with suppress(OSError):  # the first in which something was written ends it
            for path in new:
                path.rmdir()


@contextmanager
def exclusive(lock: Path, out: Path) -> Iterator[None]:
    """Within the block, this process alone writes `out`; in the same thread, the block may be nested.

    ```python
    with exclusive(Path("runs/digits/.lock"), Path("runs/digits")):
        ...
    ```

    Args:
        lock: file of the lock; its folder is created, and the file is removed at the end.
        out: what it protects, for the message.

    Raises:
        ConfigError: naming the process that writes `out`.
        OSError: if the lock cannot be written.
    """
    key = os.path.abspath(lock), threading.get_ident()
    if key in _held:
        yield
        return
    handle = _acquire(lock, out)
    _held.add(key)
    try:
        yield
    finally:
        _held.discard(key)
        if os.name == "nt":  # an open file cannot be removed there
            os.close(handle)
        with suppress(OSError):
            lock.unlink()  # still locked: who opened it before sees below that it is gone
        if os.name != "nt":
            os.close(handle)


def _acquire(lock: Path, out: Path) -> int:
    missing = 0
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last owner removed the empty folder in between
            missing += 1
            if missing < _TRIES:
                continue
            raise ConfigError(f"{out} cannot be written, as its folder takes no files: choose another path.") from None
        try:
            owner = _Process.read(handle)
            if not _is_free(handle, owner):
                writer = owner or "another process"
                raise ConfigError(f"{out} is being written by {writer}: wait for its end, or choose another.")
            if _is_there(handle, lock):
                os.ftruncate(handle, 0)
                text = json.dumps(_Process.current()._asdict()).encode()
                os.lseek(handle, 0, os.SEEK_SET)
                os.ftruncate(handle, os.write(handle, text))
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last owner removed the file in between


def _is_free(handle: int, owner: _Process | None) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError:
            pass  # a disk without locks
    return owner is None or not owner.is_alive()


def _is_there(handle: int, lock: Path) -> bool:
    """Return True if a path still names the open file."""
    try:
        return bool(os.path.samestat(os.stat(lock), os.fstat(handle)))
    except FileNotFoundError:
        return False


class _Process(NamedTuple):
    """Who writes a lock."""

    pid: int
    started: float
    host: str

    @classmethod
    def current(cls) -> _Process:
        import psutil

        return cls(os.getpid(), psutil.Process().create_time(), platform.node())

    @classmethod
    def read(cls, handle: int) -> _Process | None:
        """Read who wrote a lock; None if it names nobody."""
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            values = json.loads(os.read(handle, _MAX_BYTES))
            return cls(int(values["pid"]), float(values["started"]), str(values["host"]))
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            return None

    def __str__(self) -> str:
        with suppress(ValueError, OverflowError, OSError):
            started = datetime.datetime.fromtimestamp(self.started).strftime("%Y-%m-%d %H:%M:%S")
            return f"process {self.pid} on {self.host}, started {started}"
        return "another process"

    def is_alive(self) -> bool:
        """Return True if the process still runs; on another machine, that is assumed."""
        if self.host != platform.node():
            return True
        import psutil

        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) < 1)
        except (psutil.Error, ValueError, OverflowError):
            return False
