"""Compiling, and keeping what was compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def inner(function: FunctionT) -> FunctionT:
    """Compile a function that only compiled functions call."""
    compiled: FunctionT = njit(function)
    return compiled


def entry(function: FunctionT) -> FunctionT:
    """Compile a function that Python calls, without holding Python's lock, and keep it on disk."""
    compiled: FunctionT = njit(cache=True, nogil=True)(function)
    return compiled
