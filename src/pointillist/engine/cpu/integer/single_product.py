"""A matrix product of bytes, as a row of bytecode: to measure what the machine can reach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Int8, Int32, UInt8

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.constants import Pool
from pointillist.engine.cpu.integer.entries import run_part
from pointillist.engine.program import Instruction, Phase


def single_product(x: UInt8[np.ndarray, "m k"], w: Int8[np.ndarray, "k n"]) -> Callable[[], Int32[np.ndarray, "m n"]]:
    """Return a call that computes x w in 32 bits. Each call overwrites the result of the last.

    run = single_product(x, w)
    assert (run() == x.astype(int) @ w.astype(int)).all()
    """
    (m, k), n = x.shape, w.shape[1]
    zeros = np.zeros(n, np.int32)
    constants = {"matrix": w, "bias": zeros, "shift": zeros.astype(np.int8)}
    pool = Pool()
    matrix = pool.matrix(Instruction("LINEAR", Phase.ROW, None, (), constants=constants), [(0, k)], signed=False)
    c, weights = pool.arrays
    padded = 4 * matrix.groups
    a, s = bc.aligned(m * padded, np.uint8), bc.aligned(m * n + n, np.int32)
    a[: m * padded].reshape(m, padded)[:, :k] = x
    code, patches = np.zeros((1, bc.FIELDS), np.int64), np.zeros((0, 7), np.int64)
    pieces = np.array([[0, matrix.groups]], np.int64)
    line = code[0]
    line[[bc.CODE, bc.ACTIVE, bc.OUTER, bc.INNER, bc.N]] = bc.Code.PRODUCT, 1, 1, m, n
    line[[bc.W, bc.K, bc.A, bc.PIECES, bc.X_INNER]] = matrix.weights, matrix.constants, matrix.groups, 1, padded
    line[[bc.Y_INNER, bc.Z]] = n, m * n

    def run() -> Int32[np.ndarray, "m n"]:
        run_part(code, pieces, patches, 0, 1, a, s, c, weights, 0, 0, False)
        return s[: m * n].reshape(m, n)

    return run
