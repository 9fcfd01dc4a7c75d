"""The matrix products of the compiled machine against those of torch and numpy: `python benchmarks/tiles.py`.

Shapes are those of `gated-pixelcnn` with 64 channels at 28x28: rows of one and of 16 images, and single sites. The best
of some rounds counts, by CPU time of one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit
from threadpoolctl import threadpool_limits

from pointillist.engine.cpu import vm
from pointillist.engine.cpu.bytecode import aligned
from pointillist.engine.cpu.jit import lanes
from pointillist.engine.cpu.kernels.weight_packing import panels

ROUNDS, OPERATIONS = 5, 4e8
SHAPES = ((1, 64, 128), (1, 128, 128), (4, 128, 128), (16, 64, 128), (16, 128, 128), (28, 192, 128), (448, 192, 128))


@njit  # type: ignore[untyped-decorator]
def repeat(s: Any, w: Any, rows: int, k: int, n: int, times: int) -> None:
    """y = x @ matrix, over and over; x lies at the start of s, zeros and y behind it."""
    zeros = rows * k
    for _ in range(times):
        vm.matrix(s, (0, k), w, (0, 0, 0, 0, 0), (zeros + n, n), (zeros, 0), (rows, k, n))


def rate(work: Callable[[int], object], operations: int) -> float:
    """GFLOP/s."""
    times = max(1, int(OPERATIONS / operations))
    work(1)
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work(times)
        seconds.append(time.process_time() - started)
    return times * operations / min(seconds) / 1e9


def looped(product: Callable[[], object]) -> Callable[[int], object]:
    """The same product many times, from Python."""

    def work(times: int) -> None:
        for _ in range(times):
            product()

    return work


def compare(rows: int, k: int, n: int) -> list[float]:
    """GFLOP/s of the machine, torch and numpy, once their results are the same."""
    x, matrix = (np.random.default_rng(0).normal(size=size).astype(np.float32) for size in ((rows, k), (k, n)))
    packed = panels(matrix, lanes(4))
    s, w = aligned(rows * k + n + rows * n, x.dtype), aligned(packed.size, x.dtype)
    s[: x.size], w[: packed.size] = x.reshape(-1), packed
    out, operations = np.empty((rows, n), np.float32), 2 * rows * k * n
    a, b, c = (torch.from_numpy(t) for t in (x, matrix, out))
    rates = [
        rate(lambda times: repeat(s, w, rows, k, n, times), operations),
        rate(looped(lambda: torch.mm(a, b, out=c)), operations),
        rate(looped(lambda: x.dot(matrix, out)), operations),
    ]
    result = s[x.size + n : x.size + n + out.size].reshape(out.shape)
    np.testing.assert_allclose(result, out, rtol=1e-4, atol=1e-4)
    return rates


def main() -> None:
    """A line for each shape."""
    torch.set_num_threads(1)
    print("rows x terms x columns    machine   torch.mm   numpy dot, GFLOP/s")
    with threadpool_limits(1):
        for rows, k, n in SHAPES:
            rates = "  ".join(f"{r:8.1f}" for r in compare(rows, k, n))
            print(f"{rows:4} x {k:3} x {n:3}          {rates}")


if __name__ == "__main__":
    main()
