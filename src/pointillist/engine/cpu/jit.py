"""Compile with numba, once for all models, and cache the machine code on disk.

numba checks the file of a function for changes, but not the files of the functions that it calls. So each state of this
package's source has its own cache folder. A folder that cannot be written or read gives a warning in the log, not an
error: then every process compiles again.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numba
from filelock import FileLock
from numba import njit
from numba.core import config, event

from pointillist.engine.cpu.numba_linking import link_only

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
LONGEST_WAIT = 300
"""Seconds to wait for another process that compiles. After that, compile here, without a cache."""
_log = logging.getLogger(__name__)


def inner(function: FunctionT) -> FunctionT:
    """Compile a function that only compiled functions call, and that allocates no arrays."""
    plain = inspect.unwrap(function)  # without the type checks of tests
    compiled: FunctionT = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(plain)
    return compiled


def entry(typed_by: int) -> Callable[[FunctionT], FunctionT]:
    """Compile, at its first call, a function that Python calls. It runs without the global interpreter lock.

    Args:
        typed_by: see `CachedJit`.
    """

    def compiled(function: FunctionT) -> FunctionT:
        made: Any = functools.update_wrapper(CachedJit(inspect.unwrap(function), typed_by), function)
        called: FunctionT = made
        return called

    return compiled


def cache_folder() -> Path:
    """Return the folder of compiled code: in `NUMBA_CACHE_DIR` or the user's cache, for this source and this numba."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if os.name == "nt":
        user = Path(os.environ.get("LOCALAPPDATA") or Path.home())
    source = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source.update(path.read_bytes())
    return Path(config.CACHE_DIR or user / "pointillist") / f"machine-{source.hexdigest()[:16]}"


class CachedJit:
    """A function that is compiled, or read from disk, at its first call.

    Args:
        function: the function to compile.
        typed_by: index of the argument whose dtype is the precision to compile for.
    """

    def __init__(self, function: Callable[..., Any], typed_by: int) -> None:
        self._function = function
        self._typed_by = typed_by
        self._ready: set[Any] = set()
        self._kept = True
        try:
            self._compiled = _kept_on_disk(function)
        except (OSError, RuntimeError) as error:
            self._compile_again(error)

    def __call__(self, *arguments: Any) -> Any:
        number = arguments[self._typed_by].dtype
        if number in self._ready:
            return self._compiled(*arguments)
        try:
            with self._alone(), link_only(self._function.__name__):
                result = self._compiled(*arguments)
        except Exception as error:
            if not self._kept:
                raise
            self._compile_again(error)  # helps against damaged files, or raises the error again
            result = self._compiled(*arguments)
        self._ready.add(number)
        return result

    def _alone(self) -> AbstractContextManager[Any]:
        """Let one process compile, while others that start at the same time wait and then read its cache."""
        if not self._kept:
            return nullcontext()
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{self._function.__name__}.lock", timeout=LONGEST_WAIT)

    def _compile_again(self, error: Exception) -> None:
        what = str(error) or type(error).__name__
        _log.warning("Compiled code cannot be kept in %s (%s): each process compiles it anew.", cache_folder(), what)
        self._kept = False
        self._compiled = njit(nogil=True)(self._function)


def _kept_on_disk(function: Callable[..., Any]) -> Callable[..., Any]:
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        compiled: Callable[..., Any] = njit(cache=True, nogil=True)(function)
    finally:
        config.CACHE_DIR = before
    return compiled


@functools.cache
def announce() -> None:
    """Log, once, that the virtual machine is being compiled."""
    _log.warning("Compiling once, which takes some seconds: the CPU engine is kept in %s.", cache_folder())


class _Announcement(event.Listener):  # type: ignore[misc]  # numba is not annotated
    """Announce the first compilation of any function of this package."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith(__package__):
            announce()

    def on_end(self, event: Any) -> None:
        """Ignore the end."""


event.register("numba:compile", _Announcement())
