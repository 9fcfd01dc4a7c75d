"""Compiling, once for all models, and keeping what was compiled on disk.

numba looks at the file of a function only to tell whether what it kept is stale, not at the files of the functions that
are called. So each state of this package's source has a folder of its own. A folder that cannot be written or read is
a sentence in the log, not an error: then the machine is compiled again in every process.
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
"""Seconds to wait for another process that compiles; then it is compiled here, and not kept."""
_log = logging.getLogger(__name__)


def inner(function: FunctionT) -> FunctionT:
    """Compile a function that only compiled functions call, and that makes no arrays."""
    plain = inspect.unwrap(function)  # without what checks types in tests
    compiled: FunctionT = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(plain)
    return compiled


def entry(typed_by: int) -> Callable[[FunctionT], FunctionT]:
    """Compile, when first called, a function that Python calls; it runs without holding Python's lock.

    Args:
        typed_by: see `CachedJit`.
    """

    def compiled(function: FunctionT) -> FunctionT:
        made: Any = functools.update_wrapper(CachedJit(inspect.unwrap(function), typed_by), function)
        called: FunctionT = made
        return called

    return compiled


def cache_folder() -> Path:
    """Where compiled code is kept: in `NUMBA_CACHE_DIR` or the user's cache, for this source and this numba."""
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
        function: what to compile.
        typed_by: which argument is an array of the precision that it is compiled for.
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
            self._compile_again(error)  # whatever is wrong with files, this helps, or the error is raised once more
            result = self._compiled(*arguments)
        self._ready.add(number)
        return result

    def _alone(self) -> AbstractContextManager[Any]:
        """While one process compiles, others that were started at the same time wait, and read what it has kept."""
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
    """Say, once, that the machine is compiled."""
    _log.warning("Compiling once, which takes some seconds: the CPU engine is kept in %s.", cache_folder())


class _Announcement(event.Listener):  # type: ignore[misc]  # numba is not annotated
    """Says that the machine is compiled, the first time that any of it is."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith(__package__):
            announce()

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


event.register("numba:compile", _Announcement())
