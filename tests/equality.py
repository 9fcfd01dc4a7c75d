"""Equality and closeness of arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pointillist.files.arrays import as_array


def equal(a: Any, b: Any) -> bool:
    """Return True if two arrays or tensors have the same shape and the same numbers."""
    return bool(np.array_equal(as_array(a), as_array(b)))


def assert_close(actual: Any, expected: Any, **tolerances: float) -> None:
    """Assert that two arrays or tensors have the same shape and type, and nearly the same numbers."""
    torch.testing.assert_close(*(torch.from_numpy(np.array(as_array(x))) for x in (actual, expected)), **tolerances)
