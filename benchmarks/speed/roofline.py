"""Measure the peak performance of one thread of this machine: matrix products, and memory bandwidth.

The roofline bound follows from both (Williams, Waterman and Patterson 2009). Here computing and reading are added, as
one thread does one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pointillist.system import single_threaded
from speed.timing import cpu_time

SHAPES = ((2048, 2048, 2048), (1024, 1024, 1024), (448, 384, 128), (3136, 384, 128), (448, 128, 128))
KILOBYTES = (16, 256, 768, 4_096, 16_384, 262_144)
ROUNDS = 3
_MIN_SECONDS = 0.02  # of one measurement: the clock of a process may be coarse


@dataclass(frozen=True)
class Peaks:
    """Peak performance that was measured.

    Attributes:
        gflops: float32 operations of a matrix product, in GFLOP/s.
        bf16_gflops: the same in bf16.
        gigabytes: bandwidth of reading, in GB/s, the best over all working sets.
        products: GFLOP/s by shape `m x k x n`.
        reads: GB/s by working set in kB.
        byte_gops: operations of a matrix product of bytes with sums of 32 bits, in GOP/s.
        byte_products: GOP/s by shape `m x k x n`.
    """

    gflops: float
    bf16_gflops: float
    gigabytes: float
    products: dict[str, float]
    reads: dict[str, float]
    byte_gops: float
    byte_products: dict[str, float]

    def roofline_seconds(self, operations: float, weights: float, *, integer: bool = False) -> float:
        """Return the least seconds that the operations and the reading of the weights take, one after the other.

        Args:
            operations: of products, in float32 or, if `integer`, of bytes.
            weights: number of weights to read, of 4 bytes or, if `integer`, one.
        """
        peak, size = (self.byte_gops, 1) if integer else (self.gflops, 4)
        return operations / (1e9 * peak) + size * weights / (1e9 * self.gigabytes)


def measure_peaks() -> Peaks:
    """Measure peaks with one thread: the best of several shapes, libraries and rounds."""
    with single_threaded():
        bf16 = max(_bf16_gflops(*shape) for shape in SHAPES)
        products = {"x".join(map(str, shape)): _gflops(*shape) for shape in SHAPES}
        reads = {str(size): _gigabytes(1024 * size) for size in KILOBYTES}
        byte_products = {"x".join(map(str, shape)): _byte_gops(*shape) for shape in SHAPES}
    fastest = max(products.values()), bf16, max(reads.values())
    return Peaks(*fastest, products, reads, max(byte_products.values()), byte_products)


def _gflops(m: int, k: int, n: int) -> float:
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    x, y, z = a.numpy(), b.numpy(), out.numpy()
    kernels: list[Callable[[], object]] = [lambda: torch.mm(a, b, out=out), lambda: np.dot(x, y, out=z)]
    return max(2e-9 * m * k * n / _best(kernel) for kernel in kernels)


def _bf16_gflops(m: int, k: int, n: int) -> float:
    a, b = torch.randn(m, k).bfloat16(), torch.randn(k, n).bfloat16()
    return 2e-9 * m * k * n / _best(lambda: torch.mm(a, b))


def _byte_gops(m: int, k: int, n: int) -> float:
    """Measure torch's product of bytes: on x86-64 by oneDNN, with tiles of AMX where the processor has them."""
    x, w = torch.ones(m, k, dtype=torch.int8), torch.ones(k, n, dtype=torch.int8)
    return 2e-9 * m * k * n / _best(lambda: torch._int_mm(x, w))


def _gigabytes(size: int) -> float:
    """Measure GB/s of reading `size` bytes again and again."""
    x = np.ones(size // 4, np.float32)
    times = max(1, int(2e8 / size))  # a call costs more than reading a small array
    return 1e-9 * size * times / _best(lambda: [np.dot(x, x) for _ in range(times)])


def _best(work: Callable[[], object]) -> float:
    """Return the least seconds of one call."""
    calls = max(1, int(_MIN_SECONDS / max(cpu_time(work), 1e-7)))
    return min(cpu_time(lambda: [work() for _ in range(calls)]) / calls for _ in range(ROUNDS))
