"""Run one matrix product on the virtual machine alone, to measure the peak rate of its kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.jit import lanes
from pointillist.engine.cpu.kernels.weight_packing import panels
from pointillist.engine.cpu.sample_loop import run_part


def product(x: Float[np.ndarray, "m k"], w: Float[np.ndarray, "k n"]) -> Callable[[], Float[np.ndarray, "m n"]]:
    """Return a call that computes x w, as one row of bytecode. Each call overwrites the result of the last.

    run = product(x, w)
    np.testing.assert_allclose(run(), x @ w, rtol=1e-5)
    """
    (m, k), n = x.shape, w.shape[1]
    arena = bc.Arena()
    source, target, zeros = (arena.allocate(size) for size in (m * k, m * n, n))
    memory = bc.aligned(arena.size, x.dtype)
    memory[source : source + m * k] = x.reshape(-1)
    packed = panels(w, lanes(x.itemsize))
    weights = bc.aligned(packed.size, x.dtype)
    weights[: packed.size] = packed
    code, patches = np.zeros((1, bc.FIELDS), np.int64), np.zeros((0, 7), np.int64)
    line = code[0]
    line[[bc.CODE, bc.ACTIVE, bc.OUTER, bc.INNER, bc.K, bc.N]] = bc.Code.PRODUCT, 1, 1, m, k, n
    line[[bc.X, bc.X_INNER, bc.Y, bc.Y_INNER, bc.Z]] = source, k, target, n, zeros
    program = bc.Instructions(code, patches, np.zeros((0, 2), np.int64), 0, weights)

    def run() -> Float[np.ndarray, "m n"]:
        run_part(program, 0, 1, memory, 0, 0, 1, False)
        return memory[target : target + m * n].reshape(m, n)

    return run
