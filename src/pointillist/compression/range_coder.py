"""A range coder over integer frequencies, by the library constriction (Bamler 2022, arXiv:2201.01741).

The library takes probabilities as floats p and gives symbol i of k the integers from
`floor(sum of p before i * (2^24 - k) / sum of p) + i` on. With p = frequency - 1, and frequencies that sum to 2^24, the
quotient is exactly 1, so its integers are the frequencies themselves: no rounding is left to the library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError

BITS = 24
"""Bits of the sum of the frequencies that the library works with."""
WORD = 4
"""Bytes of the words that it writes."""


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


class RangeDecoder:
    """Decode what `RangeEncoder` coded, in the same order.

    decoder = RangeDecoder(payload)
    decoder.levels(frequencies, precision=16)

    Raises:
        ArchiveError: if the bytes are not whole words.
    """

    def __init__(self, payload: bytes) -> None:
        if len(payload) % WORD:
            raise _damaged()
        words = np.frombuffer(payload, "<u4").astype(np.uint32)
        # an empty stream would be an error of the library; zeros decode to nonsense that the check symbol shows
        self._coder = stream.queue.RangeDecoder(words if words.size else np.zeros(1, np.uint32))

    def uniform(self, n: int, count: int) -> NDArray[np.int64]:
        """Decode symbols `[n]` in [0, count), all equally likely; see `levels`."""
        return self._decode(stream.model.Uniform(count), n) if n else np.zeros(0, np.int64)

    def levels(self, frequencies: IntArray, precision: int) -> NDArray[np.int64]:
        """Decode a symbol for each row of frequencies `[n, k]`, which sum to `2 ** precision`.

        Raises:
            ArchiveError: if no symbols give these bytes.
        """
        weights = (frequencies * (1 << (BITS - precision)) - 1).astype(np.float64)
        return self._decode(stream.model.Categorical(perfect=False), weights)

    def _decode(self, model: Any, what: Any) -> NDArray[np.int64]:
        try:
            return np.asarray(self._coder.decode(model, what), np.int64)
        except AssertionError as error:  # so the library reports bytes that it would never write
            raise _damaged() from error

    @property
    def is_exhausted(self) -> bool:
        """False if bytes are certainly left over."""
        return bool(self._coder.maybe_exhausted())


def _damaged() -> ArchiveError:
    return ArchiveError("These bytes are not a code of this model: the archive is damaged.")
