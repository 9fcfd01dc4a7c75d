"""Compile with numba for this CPU, once for all models, and cache the machine code on disk.

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
from llvmlite import binding
from numba import njit
from numba.core import config, event

from pointillist.engine.cpu.numba_linking import link_only, load_as_it_is

PANEL = 4
"""Vectors side by side in a tile of a matrix product. Weights are packed in panels of so many vectors."""


def features() -> set[str]:
    """Return the instruction sets that numba compiles for; its environment variables override the host's."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    if config.CPU_NAME is not None and config.CPU_NAME != "host":
        return set()
    return {name for name, present in binding.get_host_cpu_features().items() if present}


def _shape() -> tuple[int, tuple[int, ...]]:
    """Return the bytes of a vector, and the possible numbers of rows of a tile.

    The largest number leaves registers for a row of weights and an input. There are few others, because each is
    compiled.
    """
    known = features()
    if "avx512f" in known:
        return 64, (6, 4, 2, 1)
    if "avx2" in known:
        return 32, (3, 2, 1)
    return 16, (6, 4, 2, 1) if "neon" in known else (2, 1)


def _cache_bytes() -> int:
    """Return the size of a core's second-level cache; 1 MiB where the system does not report it."""
    try:
        size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(size.removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**20


VECTOR_BYTES, TILE_ROWS = _shape()
CACHE_BYTES = _cache_bytes()
MAX_LANES = VECTOR_BYTES // 4


def lanes(itemsize: int) -> int:
    """Return the numbers in a vector."""
    return VECTOR_BYTES // itemsize


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
    here = Path(__file__).parent
    for folder in (here, here.parent / "constraints"):
        for path in sorted(folder.rglob("*.py")):
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
        self._ready: set[tuple[Any, ...]] = set()
        self._kept = True
        try:
            self._compiled = _kept_on_disk(function)
        except (OSError, RuntimeError) as error:
            self._compile_again(error)

    def __call__(self, *arguments: Any) -> Any:
        # in addition to the precision: an argument may be None, or a tuple of arrays
        number = (arguments[self._typed_by].dtype, *(type(a) for a in arguments if a is None or isinstance(a, tuple)))
        if number in self._ready:
            return self._compiled(*arguments)
        try:
            with self._alone(), link_only(self._function.__name__):
                result = self._compiled(*arguments)
        except Exception as error:
            if not self._kept:
                raise
            result = self._repair(error, arguments)
        self._ready.add(number)
        return result

    def _alone(self) -> AbstractContextManager[Any]:
        """Let one process compile, while others that start at the same time wait and then read its cache."""
        if not self._kept:
            return nullcontext()
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{self._function.__name__}.lock", timeout=LONGEST_WAIT)

    def _repair(self, error: Exception, arguments: tuple[Any, ...]) -> Any:
        """Call after an error: without the files on disk, which may be damaged, and then without keeping any."""
        try:
            if isinstance(error, TimeoutError):  # of the lock: another process uses the files
                raise error
            with self._alone():
                files = list(cache_folder().rglob(f"*.{self._function.__qualname__}-*.nb[ic]"))
                for file in files:
                    file.unlink(missing_ok=True)
                if files:
                    _log.warning("Compiled code in %s is damaged (%r): it is compiled again.", cache_folder(), error)
                    self._compiled = _kept_on_disk(self._function)
                    return self._compiled(*arguments)
        except Exception as again:
            error = again
        self._compile_again(error)  # a folder that cannot be written; or raises the error again
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
    load_as_it_is(compiled)
    return compiled


@functools.cache
def announce() -> None:
    """Log, once, that the virtual machine is being compiled."""
    _log.warning("Compiling once, which takes some seconds: the CPU engine is kept in %s.", cache_folder())


class _Announcement(event.Listener):  # type: ignore[misc]  # numba is not annotated
    """Announce the first compilation of any function of this package."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith("pointillist."):
            announce()

    def on_end(self, event: Any) -> None:
        """Ignore the end."""


event.register("numba:compile", _Announcement())
