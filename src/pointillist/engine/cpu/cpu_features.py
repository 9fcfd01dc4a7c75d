"""Detect CPU features: SIMD width, rows of a GEMM tile, and cache size."""

from __future__ import annotations

from pathlib import Path

from llvmlite import binding
from numba.core import config

PANEL = 4
"""Vectors side by side in a tile of a matrix product. Weights are packed in panels of so many vectors."""


def _features() -> set[str]:
    """Return the instruction sets that numba compiles for; its environment variables override the host's."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    if config.CPU_NAME is not None and config.CPU_NAME != "host":
        return set()
    return {name for name, present in binding.get_host_cpu_features().items() if present}


def _shape() -> tuple[int, tuple[int, ...]]:
    """Return the bytes of a vector, and the possible numbers of rows of a tile.

    The largest number leaves registers for a row of weights and an input. There are few others, because each is
    compiled.
    """
    features = _features()
    if "avx512f" in features:
        return 64, (6, 4, 2, 1)
    if "avx2" in features:
        return 32, (3, 2, 1)
    return 16, (6, 4, 2, 1) if "neon" in features else (2, 1)


def _cache_bytes() -> int:
    """Return the size of a core's second-level cache; 1 MiB where the system does not report it."""
    try:
        size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(size.removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**20


VECTOR_BYTES, TILE_ROWS = _shape()
CACHE_BYTES = _cache_bytes()
MAX_LANES = VECTOR_BYTES // 4


def lanes(itemsize: int) -> int:
    """Return the numbers in a vector."""
    return VECTOR_BYTES // itemsize
