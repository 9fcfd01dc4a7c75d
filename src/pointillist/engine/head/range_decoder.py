"""The range decoder of archives: levels from a stream of words, by their frequencies; and the steps of its encoder.

A symbol is an interval of [0, 2^24), and where the stream is in it says which one it is:

    scale = floor(range / 2^24),  place = floor((point - lower) / scale)
    lower += scale start,  range = scale size

In messages, which are any words, the places share out what is left of the range as well: place p begins at
`scale p + floor(rest p / 2^24)`, where `rest` is the range modulo 2^24; in archives `rest` is 0.

Whenever the range is below 2^32, the next word is taken. The library in C has the same states, and encodes and decodes
whole images with them. The encoder follows constriction (Bamler 2022, arXiv:2201.01741): words wait while a carry may
still change them.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.head.frequencies import Distribution

BITS = 24
"""Bits of the sum of the frequencies that the decoder works with."""
WORD = 4
"""Bytes of a word."""
ALL_REST = (1 << BITS) - 1
"""Mask of the rest of a range, as messages use it; archives use none of it."""
MASK, _ONES = (1 << 64) - 1, (1 << 32) - 1


def begin_of(range_: int, rest: int, place: int) -> int:
    """Return where a place of [0, 2^24] begins in a range; `rest` masks what is shared out of its last bits."""
    return (range_ >> BITS) * place + ((range_ & rest) * place >> BITS)


class DecoderState(ctypes.Structure):
    """State of a decoder: `pt_decoder` in C."""

    _fields_ = [
        ("words", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("next", ctypes.c_int64),
        ("lower", ctypes.c_uint64),
        ("range", ctypes.c_uint64),
        ("point", ctypes.c_uint64),
        ("is_wrong", ctypes.c_int64),
        ("rest", ctypes.c_uint64),
    ]


class EncoderState(ctypes.Structure):
    """State of an encoder: `pt_encoder` in C."""

    _fields_ = [
        ("lower", ctypes.c_uint64),
        ("range", ctypes.c_uint64),
        ("waiting", ctypes.c_int64),
        ("first", ctypes.c_uint64),
        ("rest", ctypes.c_uint64),
    ]


class RangeDecoder:
    """Decode what a range encoder coded, in the same order. After an error it gives zeros.

    decoder = RangeDecoder(payload)
    decoder.levels(Frequencies(sizes), len(sizes), precision=16)

    Args:
        payload: whole words.
        rest: mask of the rest of the range that is used: `ALL_REST`, or 0 for archives.

    Attributes:
        state: where it is.
    """

    def __init__(self, payload: bytes, rest: int = 0) -> None:
        self._words = np.frombuffer(payload[: len(payload) // WORD * WORD], "<u4").astype(np.uint32)
        self.state: DecoderState = DecoderState(
            self._words.ctypes.data, len(self._words), 0, 0, MASK, 0, len(payload) % WORD > 0, rest
        )
        self._take_word()
        self._take_word()

    def uniform(self, n: int, count: int) -> NDArray[np.int64]:
        """Decode symbols `[n]` in [0, count), all equally likely."""
        each = (1 << BITS) // count
        result = np.zeros(n, np.int64)
        for index in range(n):
            symbol = min(self._place() // each, count - 1)
            self._consume(symbol * each, each if symbol < count - 1 else (1 << BITS) - symbol * each)
            result[index] = 0 if self.is_wrong else symbol
        return result

    def levels(self, distribution: Distribution, count: int, precision: int) -> NDArray[np.int64]:
        """Decode a level at each of `count` sites of a distribution, whose frequencies sum to `2 ** precision`."""
        result, shift = np.zeros(count, np.int64), BITS - precision
        for index in range(count):
            site = distribution[index : index + 1]
            level = site.level_at(np.array([self._place() >> shift]))
            start, size = (int(number[0]) for number in site.interval(level))
            self._consume(start << shift, size << shift)
            result[index] = 0 if self.is_wrong else level[0]
        return result

    @property
    def is_wrong(self) -> bool:
        """True once no symbols give these bytes."""
        return bool(self.state.is_wrong)

    @property
    def is_exhausted(self) -> bool:
        """False if bytes are certainly left over."""
        state = self.state
        return bool(state.next >= state.count and (state.point - state.lower) & MASK < (1 << 33) - 1)

    def _place(self) -> int:
        state = self.state
        offset, scale = (state.point - state.lower) & MASK, state.range >> BITS
        place = offset // scale
        while state.rest and (over := begin_of(state.range, state.rest, place) - offset) > 0:
            place -= (over + scale) // (scale + 1)
        if place >> BITS:
            state.is_wrong = 1
        return 0 if state.is_wrong else place

    def _consume(self, start: int, size: int) -> None:
        state = self.state
        if state.is_wrong:
            return
        below = begin_of(state.range, state.rest, start)
        state.lower = (state.lower + below) & MASK
        state.range = begin_of(state.range, state.rest, start + size) - below
        if state.range < 1 << 32:
            state.lower = state.lower << 32 & MASK
            state.range <<= 32
            self._take_word()

    def _take_word(self) -> None:
        state = self.state
        word = int(self._words[state.next]) if state.next < state.count else 0
        state.point = (state.point << 32 & MASK) | word
        state.next += 1


def encode_in_python(state: EncoderState, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Code intervals of [0, 2^24), and return the words that no carry can change any more.

    ```python
    encode_in_python(EncoderState(0, 2**64 - 1, 0, 0), np.array([0]), np.array([1 << 20]))  # none yet
    ```
    """
    words: list[int] = []
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        below = begin_of(state.range, state.rest, start)
        lower, state.range = state.lower + below, begin_of(state.range, state.rest, start + size) - below
        if state.waiting and (lower > MASK or lower + state.range <= MASK):
            words += _waiting(state, lower >> 64)
        state.lower = lower & MASK
        if state.range >> 32:
            continue
        word = state.lower >> 32
        state.lower, state.range = (state.lower << 32) & MASK, state.range << 32
        if state.waiting:
            state.waiting += 1
        elif state.lower + state.range > MASK:
            state.waiting, state.first = 1, word
        else:
            words.append(word)
    return np.array(words, np.uint32)


def finish_in_python(state: EncoderState) -> NDArray[np.uint32]:
    """Return the last words: those that wait, and as few as tell the interval."""
    point = state.lower + _ONES
    words = [*_waiting(state, point >> 64), (point & MASK) >> 32]
    if ((state.lower + state.range) & MASK) >> 32 == words[-1]:
        words.append(0)
    return np.array(words, np.uint32)


def _waiting(state: EncoderState, carry: int) -> list[int]:
    """Return the words that waited, after a carry or without."""
    if not state.waiting:
        return []
    words = [(state.first + carry) & _ONES] + [(_ONES + carry) & _ONES] * (state.waiting - 1)
    state.waiting = 0
    return words
