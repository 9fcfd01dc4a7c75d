"""What this machine can do at best with one thread: multiply matrices in float32, and read memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pointillist.bench.timing import cpu_time
from pointillist.system.hardware import single_threaded

SHAPES = ((2048, 2048, 2048), (1024, 1024, 1024), (448, 384, 128), (3136, 384, 128), (448, 128, 128))
KILOBYTES = (16, 256, 768, 4_096, 16_384, 262_144)
ROUNDS = 3
_LEAST = 0.02  # seconds that one measurement takes at least: the clock of a process may be coarse


@dataclass(frozen=True)
class Peaks:
    """The best that was measured.

    Attributes:
        gflops: billions of float32 operations a second, of a matrix product.
        gigabytes: read in a second, whatever the size of what is read.
        products: each shape `m x k x n` with its GFLOP/s.
        reads: each working set in kB with its GB/s.
    """

    gflops: float
    gigabytes: float
    products: dict[str, float]
    reads: dict[str, float]

    def floor(self, flops: float, weight_bytes: float) -> float:
        """Seconds that so many operations and so many bytes of weights take at the very least, one after the other."""
        return flops / (1e9 * self.gflops) + weight_bytes / (1e9 * self.gigabytes)


def measure_peaks() -> Peaks:
    """Take the best of several shapes, libraries and rounds, one thread."""
    with single_threaded():
        products = {"x".join(map(str, shape)): _gflops(*shape) for shape in SHAPES}
        reads = {str(size): _gigabytes(1024 * size) for size in KILOBYTES}
    return Peaks(max(products.values()), max(reads.values()), products, reads)


def _gflops(m: int, k: int, n: int) -> float:
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    x, y, z = a.numpy(), b.numpy(), out.numpy()
    ways: list[Callable[[], object]] = [lambda: torch.mm(a, b, out=out), lambda: np.dot(x, y, out=z), *_own(x, y)]
    return max(2e-9 * m * k * n / _best(way) for way in ways)


def _own(x: np.ndarray, y: np.ndarray) -> list[Callable[[], object]]:
    """The kernel of the CPU engine: BLAS does not use all of every processor, and no engine may beat the peak."""
    try:
        from pointillist.engine.cpu.product import product
    except ImportError:
        return []
    return [product(x, y)]


def _gigabytes(size: int) -> float:
    """Reading `size` bytes again and again."""
    x = np.ones(size // 4, np.float32)
    read = _reader()
    read(x, 1)
    times = max(1, int(2e8 / size))  # calls cost more than small arrays
    return 1e-9 * size * times / _best(lambda: read(x, times))


def _reader() -> Callable[[np.ndarray, int], object]:
    """A loop that reads an array several times: compiled where numba is, else BLAS."""
    try:
        from numba import njit
    except ImportError:
        return lambda x, times: [np.dot(x, x) for _ in range(times)]
    compiled: Callable[[np.ndarray, int], object] = njit(fastmath=True)(_read)
    return compiled


def _read(x: np.ndarray, times: int) -> float:
    total = np.float32(0)
    for turn in range(times):
        part = np.float32(turn)  # so that the turns are not one
        for i in range(x.size):
            part += x[i]
        total += part
    return float(total)


def _best(work: Callable[[], object]) -> float:
    """Seconds of one call, at best."""
    calls = max(1, int(_LEAST / max(cpu_time(work), 1e-7)))
    return min(cpu_time(lambda: [work() for _ in range(calls)]) / calls for _ in range(ROUNDS))
