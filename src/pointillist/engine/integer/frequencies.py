"""From integer parameters to integer frequencies: the distribution of a sub-pixel, exactly normalised.

Of the logits l_k, integers in steps of 2^-8, and with m their maximum, and E the table of 2^24 exp(-i / 256),

    e_k = E[m - l_k]                         (0 beyond the table)
    r   = floor(2^(P + 32) / sum of e)
    f_k = max(1, floor(e_k r / 2^32)),  and the first largest f_k takes what is missing to 2^P

so every frequency is at least 1, and they sum to 2^P. All of it is 64-bit integer arithmetic without overflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.integer.mixture import mixture_weights
from pointillist.engine.integer.program import IntArray, IntegerHead
from pointillist.errors import EngineError

LOGIT_STEP = 2.0**-8
EXP_BITS = 24
EXP_REACH = 16
"""The table of exp ends here, where it is below 2^-23."""
MAX_LEVELS = 4096
_FEW_LEVELS = 64


def precision_of(levels: int) -> int:
    """Return the bits of the sum of the frequencies: 16, or 24 for more than 64 levels.

    Every level has a frequency of at least 1: k rare levels take up to k / 2^16 from the most likely one.

    Raises:
        EngineError: for more levels than have a frequency.
    """
    if levels > MAX_LEVELS:
        raise EngineError(
            f"The integer program supports up to {MAX_LEVELS:,} levels, not {levels:,}: use another engine."
        )
    return 16 if levels <= _FEW_LEVELS else 24


def exp_table() -> NDArray[np.int32]:
    """Tabulate 2^24 exp(-i / 256); the last entry is 0."""
    steps = np.arange(int(EXP_REACH / LOGIT_STEP) + 1) * LOGIT_STEP
    table: NDArray[np.int32] = np.floor(2.0**EXP_BITS * np.exp(-steps) + 0.5).astype(np.int32)
    table[-1] = 0
    return table


def normalise(weights: NDArray[np.int64], precision: int) -> NDArray[np.int64]:
    """Return frequencies `[..., k]` in proportion to weights: at least 1 each, and 2^precision in all."""
    total = weights.sum(axis=-1, keepdims=True)
    result: NDArray[np.int64] = np.maximum(1, (weights * ((1 << (precision + 32)) // total)) >> 32)
    missing = (1 << precision) - result.sum(axis=-1)
    best = result.argmax(axis=-1)[..., None]
    np.put_along_axis(result, best, np.take_along_axis(result, best, -1) + missing[..., None], -1)
    return result


def softmax(logits: IntArray, table: IntArray, precision: int) -> NDArray[np.int64]:
    """Return the frequencies `[..., k]` of logits in steps of `LOGIT_STEP`."""
    below = logits.max(axis=-1, keepdims=True).astype(np.int64) - logits
    return normalise(table[np.minimum(below, len(table) - 1)].astype(np.int64), precision)


def frequencies(head: IntegerHead, params: IntArray, pixel: IntArray, channel: int) -> NDArray[np.int64]:
    """Return the frequencies of the levels of one channel.

    Args:
        head: the distribution.
        params: parameters, `[..., p]`.
        pixel: levels of the pixel, `[..., c]`; those before the channel are read where channels are coupled.
        channel: the channel.

    Returns:
        `[..., levels]`, summing to `2 ** head.precision`.
    """
    table = head.tables["exp"]
    if head.kind == "mixture":
        return normalise(mixture_weights(head, params, pixel, channel), head.precision)
    if head.kind == "bernoulli":
        logit = params[..., channel : channel + 1]
        return softmax(np.concatenate([np.zeros_like(logit), logit], -1), table, head.precision)
    logits = params[..., channel * head.levels : (channel + 1) * head.levels]
    return softmax(logits, table, head.precision)


def intervals(result: NDArray[np.int64], levels: IntArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of levels `[...]` among frequencies `[..., k]`, as an entropy coder needs."""
    index: Any = np.asarray(levels)[..., None].astype(np.int64)
    ends = np.take_along_axis(result.cumsum(axis=-1), index, -1)[..., 0]
    size = np.take_along_axis(result, index, -1)[..., 0]
    return ends - size, size
