"""A range encoder over integer frequencies, by the library constriction (Bamler 2022, arXiv:2201.01741).

The library takes probabilities as floats p and gives symbol i of k the integers from
`floor(sum of p before i * (2^24 - k) / sum of p) + i` on. With p = frequency - 1, and frequencies that sum to 2^24, the
quotient is exactly 1, so its integers are the frequencies themselves: no rounding is left to the library.
"""

from __future__ import annotations

import numpy as np
from constriction import stream

from pointillist.engine.head.range_decoder import BITS
from pointillist.engine.program import IntArray


class RangeEncoder:
    """Code symbols into bytes.

    encoder = RangeEncoder()
    encoder.add_intervals(starts, sizes, precision=16)
    payload = encoder.finish()
    """

    def __init__(self) -> None:
        self._coder = stream.queue.RangeEncoder()

    def add_uniform(self, symbols: IntArray, count: int) -> None:
        """Code symbols `[n]` in [0, count), all equally likely."""
        if len(symbols):
            self._coder.encode(symbols.astype(np.int32), stream.model.Uniform(count))

    def add_intervals(self, starts: IntArray, sizes: IntArray, precision: int) -> None:
        """Code symbols `[n]` that are intervals of [0, 2 ** precision): their start and their size."""
        if not len(starts):
            return
        scale, total = 1 << (BITS - precision), 1 << BITS
        below, size = starts.astype(np.int64) * scale, sizes.astype(np.int64) * scale
        above = total - below - size
        # the interval is one of three symbols; where nothing is below or above it, the other side is split in two
        parts, symbols = np.stack([below, size, above], 1), np.ones(len(starts), np.int32)
        first, last = below == 0, above == 0
        parts[first] = np.stack([size, above // 2, above - above // 2], 1)[first]
        parts[last] = np.stack([below // 2, below - below // 2, size], 1)[last]
        symbols[first], symbols[last] = 0, 2
        self._coder.encode(symbols, stream.model.Categorical(perfect=False), (parts - 1).astype(np.float64))

    def finish(self) -> bytes:
        """Return the bytes, whole words."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes())
