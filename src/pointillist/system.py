"""Describe this machine, limit a block to one thread, measure memory and reject what does not fit into it."""

from __future__ import annotations

import datetime
import math
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pointillist.errors import ConfigError, DataError, PointillistError, counted

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
    """Memory left to the control group, as containers set it; None without a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return limit - used + int(stat.get("inactive_file", 0))  # the cache of files is given back when it is needed
    except (OSError, ValueError):
        return None  # no such group, or the limit is the word `max`


def _address_space_bytes() -> int | None:
    """Address space left under `ulimit -v`; None without a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    import psutil

    used: int = psutil.Process().memory_info().vms
    return limit - used


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
    """Return the number of processor cores that this process may use, at most the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(cores, group_quota()))


@cache
def group_quota(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the processor time that the control group may use, in cores; infinite without a limit.

    Args:
        root: folder of the control group, of version 2 (`cpu.max`) or 1 (`cpu/cpu.cfs_quota_us`).
    """
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):
        try:
            quota, period = (int(number) for name in names for number in (root / name).read_text().split())
            return quota / period if quota > 0 and period > 0 else math.inf
        except (OSError, ValueError):
            continue  # no such file, or the limit is the word `max`
    return math.inf


def default_threads() -> int:
    """Return the number of threads of work that torch does not run: `OMP_NUM_THREADS`, at most one a core."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(limit), available_cores()) if limit.isdigit() and int(limit) else available_cores()


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
FEW_BYTES = 2**24
"""Bytes that are taken for granted: to ask the system costs more than a small batch."""
_MAX_BATCH = 1 << 20


def check_memory(
    needed: int,
    what: str,
    remedy: str | Callable[[int], str],
    *,
    device: torch.device | None = None,
    error: type[PointillistError] = DataError,
) -> None:
    """Reject what needs more than 80 % of the free memory, before it is taken. Little memory is taken for granted.

    Args:
        needed: bytes.
        what: name of the data or the computation, in the message.
        remedy: advice at the end of the message; or a function of the bytes that may be used, which names what fits.
        device: device that holds it; None for the memory of the process.
        error: class of the error.

    Raises:
        DataError: or the class `error`, with the estimate, the free memory, and the remedy.
    """
    if needed < FEW_BYTES:
        return
    available = available_bytes() if device is None else free_bytes(device)
    if available is not None and needed > USABLE * available:
        advice = remedy if isinstance(remedy, str) else remedy(int(USABLE * available))
        raise error(
            f"{what} would take {format_bytes(needed)} of memory, but only {USABLE:.0%} of the available "
            f"{format_bytes(available)} may be used: {advice}."
        )


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of a computation on images, as a function of their number and size.

    ```python
    MemoryUse(fixed=0.0, per_pixel=400.0).bytes(16, 28, 28)  # 5017600
    ```

    Attributes:
        fixed: bytes that do not depend on the images, such as weights, their gradients and states.
        per_pixel: bytes of each pixel of each image.
    """

    fixed: float
    per_pixel: float

    def bytes(self, count: int, height: int, width: int) -> int:
        """Bytes for `count` images at once."""
        return int(self.fixed + count * height * width * self.per_pixel)

    def largest_count(self, limit: int, height: int, width: int) -> int:
        """Number of images that fit, as a power of two; 0 if not even one does."""
        fitting = int(min(_MAX_BATCH, max(0.0, limit - self.fixed) / (height * width * self.per_pixel)))
        return 1 << (fitting.bit_length() - 1) if fitting else 0

    def largest_size(self, limit: int, count: int, height: int, width: int) -> tuple[int, int] | None:
        """Largest size of this shape of which `count` images fit; None if there is none."""
        share = (max(0.0, limit - self.fixed) / (count * height * width * self.per_pixel)) ** 0.5
        size = int(height * min(1.0, share)), int(width * min(1.0, share))
        return size if min(size) >= 1 else None

    def fitting(self, limit: int, count: int, height: int, width: int) -> list[str]:
        """Name a batch that fits; or, where not even one image does, a size."""
        batch, size = self.largest_count(limit, height, width), self.largest_size(limit, 1, height, width)
        if batch:
            return [f"`batch_size={min(batch, count)}`"]
        return [] if size is None else [f"one image of `size={size[0]}x{size[1]}`"]

    def check(
        self,
        what: str,
        size: tuple[int, int, int],
        *,
        device: torch.device | None = None,
        error: type[PointillistError],
        fitting: Callable[[int], list[str]] | None = None,
    ) -> None:
        """Check that the images of a batch fit in the free memory; see `check_memory`.

        Args:
            what: the computation, such as "The likelihood"; number and size of the images follow.
            size: number, height and width of the images.
            fitting: names what would fit in a number of bytes; None for a batch or a size.
        """
        count, height, width = size

        def remedy(limit: int) -> str:
            names = self.fitting(limit, *size) if fitting is None else fitting(limit)
            return f"what would fit: {', or '.join(names)}" if names else "take a smaller model and smaller images"

        images = f"{what} {counted(count, 'image')} of {height}x{width}"
        check_memory(self.bytes(*size), images, remedy, device=device, error=error)


def format_bytes(count: int) -> str:
    """Format a number of bytes in GiB, or in MiB below 0.1 GiB.

    ```python
    format_bytes(3 * 2**30)  # "3.0 GiB"
    ```
    """
    if count >= 2**80:  # more than a floating-point number may hold
        return f"over {2**50:,} GiB"
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:,.2f} MiB"


def is_main_process() -> bool:
    """Return True in the first process under torchrun, which prints."""
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
