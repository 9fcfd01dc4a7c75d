"""Where a measurement was made."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import torch


def describe_machine() -> str:
    """Processor, cores and system, without names or paths."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{_processor()}, {cores} core{'s' if cores != 1 else ''}, {platform.system()}"


def _processor() -> str:
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
