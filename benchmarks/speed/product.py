"""A matrix product of bytes by the kernels in C: to measure what they can reach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Int8, Int32, UInt8

from pointillist.engine.c.blob import COLUMNS, pack
from pointillist.engine.library import aligned, chosen_level, load_library


def single_product(x: UInt8[np.ndarray, "m k"], w: Int8[np.ndarray, "k n"]) -> Callable[[], Int32[np.ndarray, "m n"]]:
    """Return a call that computes x w in 32 bits. Each call overwrites the result of the last.

        run = single_product(x, w)
        assert (run() == x.astype(int) @ w.astype(int)).all()

    Raises:
        ImportError: if this platform lacks the library in C.
    """
    library, level = load_library(), chosen_level()
    if library is None or level is None:
        raise ImportError("This platform lacks the library in C.")
    (m, k), n = x.shape, w.shape[1]
    groups = -(-k // 4)
    packed = pack(w, [k])
    weights = aligned(packed.size)
    weights[:] = packed.view(np.uint8)
    rows = aligned(m * groups * 4)
    rows.reshape(m, groups * 4)[:, :k] = x
    width = -(-n // COLUMNS) * COLUMNS
    result = np.empty((m, n), np.int32)
    assert weights.size == groups * 4 * width

    def run() -> Int32[np.ndarray, "m n"]:
        library.pt_product(rows.ctypes.data, weights.ctypes.data, m, groups, n, result.ctypes.data, level)
        return result

    return run
