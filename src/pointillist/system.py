"""Describe this machine, limit a block to one thread, measure memory and reject what does not fit into it."""

from __future__ import annotations

import ctypes
import datetime
import gc
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from pointillist.errors import ConfigError, DataError, counted

__version__ = "0.1.0"

if TYPE_CHECKING:
    import torch
    from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _thread_pools(modules: int) -> ThreadpoolController:
    """Find the thread pools of the process, which takes a millisecond; again once other modules are imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _OneThread:
    """The limit to one thread, shared by all threads inside the block at the same time, in any order of leaving."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1
        self._limits: Any = None
        self._own = threading.local()  # nesting depth of the current thread: torch has a thread count for each

    def enter(self) -> None:
        import torch

        with self._lock:
            if not self._inside:
                self._before, self._limits = torch.get_num_threads(), _thread_pools(len(sys.modules)).limit(limits=1)
            self._inside += 1
            self._own.depth = getattr(self._own, "depth", 0) + 1
            torch.set_num_threads(1)

    def leave(self) -> None:
        import torch

        with self._lock:
            self._inside -= 1
            self._own.depth -= 1
            if not self._inside and self._limits is not None:
                self._limits.restore_original_limits()
            if not self._own.depth:
                torch.set_num_threads(self._before)


_ONE_THREAD = _OneThread()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to one thread within the block; several threads may be in it at once.

        with single_threaded():
            model.log_prob(x)

    Both limits are needed: threadpoolctl does not see the MKL inside torch, whose `exp` uses several threads even for
    1,024 numbers.
    """
    _ONE_THREAD.enter()
    try:
        yield
    finally:
        _ONE_THREAD.leave()


def available_bytes() -> int | None:
    """Return the memory that this process can still take without swapping, in bytes; None if unknown.

    It is the least of what the system has, what its control group may take, and what is left of its address space.
    """
    out = [size for size in (_system_bytes(), _group_bytes(), _address_space_bytes()) if size is not None]
    return max(0, min(out)) if out else None


def _group_bytes() -> int | None:
    """Memory left to the control group, as containers set it; None where there is no limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return limit - used + int(stat.get("inactive_file", 0))  # the cache of files is given back when it is needed
    except (OSError, ValueError):
        return None  # no such group, or the limit is the word `max`


def _address_space_bytes() -> int | None:
    """Address space left under `ulimit -v`; None where there is no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit - psutil.Process().memory_info().vms


def _system_bytes() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # not on Windows
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def free_bytes(device: torch.device) -> int | None:
    """Return the memory available on a device, in bytes; None if unknown."""
    import torch

    if device.type != "cuda":
        return available_bytes()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # held by torch for what comes
    return torch.cuda.mem_get_info(device)[0] + unused


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return the number of threads of work that torch does not run: `OMP_NUM_THREADS`, at most one a core."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(given), available_cores()) if given.isdigit() and int(given) else available_cores()


def describe_threads(threads: int | None) -> list[str]:
    """Say that fewer threads are used than were set, where there are fewer cores; else say nothing.

    ```python
    describe_threads(64)  # ["64 threads were set, and 2 cores are there: 2 are used"]
    ```
    """
    cores = available_cores()
    if (threads or 0) <= cores:
        return []
    return [f"{threads} threads were set, and {cores} cores are there: {cores} are used"]


def describe_machine() -> str:
    """Describe processor, cores, GPU and system, without host names or paths."""
    import torch

    cores = available_cores()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{processor()}, {counted(cores, 'core')}{gpu}, {platform.system()}"


def processor() -> str:
    """Return the name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def describe_versions() -> str:
    """Describe the versions that results may depend on."""
    import torch

    return f"pointillist {__version__}, torch {torch.__version__}, Python {platform.python_version()}"


def today() -> str:
    """Return the date as year-month-day."""
    return datetime.date.today().isoformat()


T = TypeVar("T")
USABLE = 0.8  # the rest is for the program, the model and the system
_PAUSE = 0.002  # seconds between two measurements


def measure_peak_memory(work: Callable[[], T]) -> tuple[T, int]:
    """Run `work`; return its result, and the peak growth of resident memory in bytes.

    Freed memory that the process holds is returned to the system first, where the system supports it.

        model, peak = measure_peak_memory(lambda: pt.load("digits"))
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    process = psutil.Process()
    before = process.memory_info().rss
    highest, done = before, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(_PAUSE):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        result = work()
    finally:
        done.set()
        watcher.join()
    return result, max(0, max(highest, process.memory_info().rss) - before)


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raise an error if an allocation needs more than 80 % of the available memory.

    Args:
        needed: bytes.
        what: name of the data in the message.
        remedy: advice at the end of the message.

    Raises:
        DataError: with the estimate, the available memory, and the remedy.
    """
    available = available_bytes()
    if available is not None and needed > USABLE * available:
        raise DataError(
            f"{what} would take {format_bytes(needed)} of memory, but only {USABLE:.0%} of the available "
            f"{format_bytes(available)} may be used: {remedy}."
        )


def format_bytes(count: int) -> str:
    """Format a number of bytes in GiB, or in MiB below 0.1 GiB.

    ```python
    format_bytes(3 * 2**30)  # "3.0 GiB"
    ```
    """
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:,.2f} MiB"


def is_main_process() -> bool:
    """Tell whether this is the first process under torchrun, the one that prints."""
    return os.environ.get("RANK", "0") == "0"


def resolve_device(device: str) -> torch.device:
    """Resolve the name of a device; `auto` is the first GPU if there is one.

    Raises:
        ConfigError: if there is no such device.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"`device` (={device!r}) is not a device: use 'auto', 'cpu' or 'cuda'.") from error
    if resolved.type not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"`device` (={device!r}) is not supported: use 'auto', 'cpu' or 'cuda'.")
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"`device` (={device!r}) is not there: torch sees no GPU. Use 'cpu' or 'auto'.")
    if resolved.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"`device` (={device!r}) is not there: torch sees no GPU of Apple. Use 'cpu' or 'auto'.")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"`device` (={device!r}) is not there: torch sees {torch.cuda.device_count()}, from cuda:0.")
    return resolved
