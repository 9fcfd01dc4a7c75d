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
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit
from numba.core import config, event

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_log = logging.getLogger(__name__)


def inner(function: FunctionT) -> FunctionT:
    """Compile a function that only compiled functions call."""
    compiled: FunctionT = njit(inspect.unwrap(function))  # without what checks types in tests
    return compiled


def entry(function: FunctionT) -> FunctionT:
    """Compile, when first called, a function that Python calls; it runs without holding Python's lock."""
    compiled: Any = functools.update_wrapper(Entry(inspect.unwrap(function)), function)
    called: FunctionT = compiled
    return called


def cache_folder() -> Path:
    """Where compiled code is kept: in `NUMBA_CACHE_DIR` or the user's cache, for this source and this numba."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if os.name == "nt":
        user = Path(os.environ.get("LOCALAPPDATA") or Path.home())
    source = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source.update(path.read_bytes())
    return Path(config.CACHE_DIR or user / "pointillist") / f"machine-{source.hexdigest()[:16]}"


class Entry:
    """A function that is compiled, or read from disk, at its first call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._kept = True
        try:
            self._compiled = _kept_on_disk(function)
        except (OSError, RuntimeError) as error:
            self._compile_again(error)

    def __call__(self, *arguments: Any) -> Any:
        try:
            return self._compiled(*arguments)
        except Exception as error:
            if not self._kept:
                raise
            self._compile_again(error)  # whatever is wrong with files, this helps, or the error is raised once more
            return self._compiled(*arguments)

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


class _Announcement(event.Listener):  # type: ignore[misc]  # numba is not annotated
    """Says that the machine is compiled, the first time that any of it is."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        ours = event.data["dispatcher"].py_func.__module__.startswith(__package__)
        if ours and not self.said:
            self.said = True
            _log.warning("Compiling the CPU engine, which takes some seconds once; it is kept in %s.", cache_folder())

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


event.register("numba:compile", _Announcement())
