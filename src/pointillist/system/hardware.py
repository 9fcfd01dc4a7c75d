"""The machine at hand: what it is, and how many of its cores a piece of work takes."""

from __future__ import annotations

import datetime
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits


class _OneThread:
    """The limit, shared by all that are within the block at the same time, whichever leaves it first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1
        self._limits: threadpool_limits | None = None
        self._own = threading.local()  # how deep the thread at hand is in it: torch counts threads for each of ours

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._before, self._limits = torch.get_num_threads(), threadpool_limits(1)
            self._inside += 1
            self._own.depth = getattr(self._own, "depth", 0) + 1
            torch.set_num_threads(1)

    def leave(self) -> None:
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
    """Within the block torch, BLAS and OpenMP compute with one thread; several may be in it at once.

    Both limits are needed: threadpoolctl does not see the MKL inside torch, whose `exp` shares out even 1,024 numbers.
    """
    _ONE_THREAD.enter()
    try:
        yield
    finally:
        _ONE_THREAD.leave()


def available_bytes() -> int | None:
    """Memory that can be had without swapping, in bytes; None where the system does not tell."""
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
    """Memory of a device that can still be had, in bytes; None where the system does not tell."""
    if device.type != "cuda":
        return available_bytes()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # held by torch for what comes
    return torch.cuda.mem_get_info(device)[0] + unused


def describe_machine() -> str:
    """Processor, cores, GPU and system, without names or paths."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{processor()}, {cores} core{'s' if cores != 1 else ''}{gpu}, {platform.system()}"


def processor() -> str:
    """The name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def describe_versions(pointillist: str) -> str:
    """Versions that a number may depend on."""
    return f"pointillist {pointillist}, torch {torch.__version__}, Python {platform.python_version()}"


def today() -> str:
    """The date, as year-month-day."""
    return datetime.date.today().isoformat()
