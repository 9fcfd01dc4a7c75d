"""Refusing what does not fit into memory before any of it is allocated."""

from __future__ import annotations

import os
from pathlib import Path

from pointillist.errors import DataError

USABLE = 0.8  # the rest is for the program, the model and the system


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


def require(needed: int, what: str, remedy: str) -> None:
    """Refuse `what` if it takes more than 80 % of the available memory.

    Raises:
        DataError: with the estimate, what there is, and the remedy.
    """
    available = available_bytes()
    if available is not None and needed > USABLE * available:
        raise DataError(
            f"{what} would take {needed / 2**30:,.1f} GiB of memory, but only {USABLE:.0%} of the available "
            f"{available / 2**30:,.1f} GiB may be used: {remedy}."
        )
