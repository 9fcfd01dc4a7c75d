"""The range encoder of archives: intervals of [0, 2^24) into words. `engine.head.range_decoder` is its inverse.

It is the encoder of constriction (Bamler 2022, arXiv:2201.01741): words wait while a carry may still change them. The
library in C encodes; on a platform without it, the same steps in Python do.
"""

from __future__ import annotations

import ctypes

import numpy as np

from pointillist.engine.head.range_decoder import BITS
from pointillist.engine.library import chosen_level, load_library
from pointillist.engine.program import IntArray

_MASK, _ONES = (1 << 64) - 1, (1 << 32) - 1


class EncoderState(ctypes.Structure):
    """State of an encoder: `pt_encoder` in C."""

    _fields_ = [
        ("lower", ctypes.c_uint64),
        ("range", ctypes.c_uint64),
        ("waiting", ctypes.c_int64),
        ("first", ctypes.c_uint64),
    ]


class RangeEncoder:
    """Code symbols into bytes.

    encoder = RangeEncoder()
    encoder.add_intervals(starts, sizes, precision=16)
    payload = encoder.finish()
    """

    def __init__(self) -> None:
        self._state, self._words = EncoderState(0, _MASK, 0, 0), bytearray()
        self._library = None if chosen_level() is None else load_library()

    def add_uniform(self, symbols: IntArray, count: int) -> None:
        """Code symbols `[n]` in [0, count), all equally likely; the last one has what is left of the range."""
        each = (1 << BITS) // count
        starts = symbols.astype(np.int64) * each
        self.add_intervals(starts, np.where(symbols == count - 1, (1 << BITS) - starts, each), BITS)

    def add_intervals(self, starts: IntArray, sizes: IntArray, precision: int) -> None:
        """Code symbols `[n]` that are intervals of [0, 2 ** precision): their start and their size."""
        scale, state = 1 << (BITS - precision), self._state
        below, size = (np.ascontiguousarray(numbers.astype(np.int64) * scale) for numbers in (starts, sizes))
        if self._library is None:
            self._words += encode_in_python(state, below, size).astype("<u4").tobytes()
            return
        words = np.empty(state.waiting + len(below), np.uint32)
        pointers = below.ctypes.data, size.ctypes.data, len(below), words.ctypes.data
        count = self._library.pt_encode(ctypes.byref(state), *pointers)
        self._words += words[:count].astype("<u4").tobytes()

    def finish(self) -> bytes:
        """Return the bytes, whole words; none if there were no symbols."""
        state = self._state
        if not self._words and not state.waiting and state.range == _MASK:
            return b""
        point = state.lower + _ONES
        words = [*_waiting(state, point >> 64), (point & _MASK) >> 32]
        if ((state.lower + state.range) & _MASK) >> 32 == words[-1]:
            words.append(0)
        return bytes(self._words) + np.array(words, "<u4").tobytes()


def encode_in_python(state: EncoderState, starts: IntArray, sizes: IntArray) -> IntArray:
    """Code intervals of [0, 2^24), and return the words that no carry can change any more.

    ```python
    encode_in_python(EncoderState(0, 2**64 - 1, 0, 0), np.array([0]), np.array([1 << 20]))  # none yet
    ```
    """
    words: list[int] = []
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        scale = state.range >> BITS
        lower, state.range = state.lower + scale * start, scale * size
        if state.waiting and (lower > _MASK or lower + state.range <= _MASK):
            words += _waiting(state, lower >> 64)
        state.lower = lower & _MASK
        if state.range >> 32:
            continue
        word = state.lower >> 32
        state.lower, state.range = (state.lower << 32) & _MASK, state.range << 32
        if state.waiting:
            state.waiting += 1
        elif state.lower + state.range > _MASK:
            state.waiting, state.first = 1, word
        else:
            words.append(word)
    return np.array(words, np.uint32)


def _waiting(state: EncoderState, carry: int) -> list[int]:
    """Return the words that waited, after a carry or without."""
    if not state.waiting:
        return []
    words = [(state.first + carry) & _ONES] + [(_ONES + carry) & _ONES] * (state.waiting - 1)
    state.waiting = 0
    return words
