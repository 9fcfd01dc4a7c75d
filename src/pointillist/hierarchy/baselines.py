"""Codecs that know nothing of images, as baselines of a prior: an adaptive order-0 coder, and xz."""

from __future__ import annotations

import lzma
import math

import numpy as np
from jaxtyping import Int

_FILTERS: tuple[dict[str, int], ...] = ({}, {"lc": 0, "lp": 1, "pb": 1}, {"lc": 3, "lp": 1, "pb": 1})
"""Settings of xz: its own, and two for numbers of two bytes."""


def order0_bits(codes: Int[np.ndarray, ...], size: int, primer: Int[np.ndarray, ...]) -> float:
    """Count the bits of codes, one after the other, in an adaptive order-0 coder that has read a primer.

    A code has the probability (count + 1/2) / (all + size/2), by the counts so far (Krichevsky and Trofimov 1981). The
    order of the codes doesn't matter.

    ```python
    order0_bits(np.array([0, 1]), 2, np.array([], int))  # 3.0
    ```

    Args:
        size: number of codes.
        primer: codes that were read before, at no cost.
    """
    before = np.bincount(primer.reshape(-1).astype(np.int64), minlength=size) + 0.5
    counts = np.bincount(codes.reshape(-1).astype(np.int64), minlength=size)
    gamma = np.vectorize(math.lgamma, otypes=[float])
    total = math.lgamma(before.sum() + counts.sum()) - math.lgamma(before.sum())
    return float((total - (gamma(before + counts) - gamma(before)).sum()) / math.log(2))


def xz_bits(codes: Int[np.ndarray, ...], size: int, primer: Int[np.ndarray, ...]) -> float:
    """Count the bits that codes add to a primer in xz, of the best of three settings.

    ```python
    xz_bits(np.zeros(1000, int), 2, np.zeros(1000, int)) < 100  # True
    ```
    """
    kind = np.uint8 if size <= 256 else np.uint16
    first, second = (np.ascontiguousarray(part.astype(kind)).tobytes() for part in (primer, codes))
    result = []
    for filters in _FILTERS:
        chain = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, **filters}]
        sizes = [len(lzma.compress(part, format=lzma.FORMAT_RAW, filters=chain)) for part in (first, first + second)]
        result.append(sizes[1] - sizes[0])
    return 8.0 * min(result)
