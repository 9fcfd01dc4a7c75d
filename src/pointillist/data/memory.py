"""Refusing what does not fit into memory before any of it is allocated."""

from __future__ import annotations

from pointillist.errors import DataError
from pointillist.system.hardware import available_bytes

USABLE = 0.8  # the rest is for the program, the model and the system


def check_memory(needed: int, what: str, remedy: str) -> None:
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
