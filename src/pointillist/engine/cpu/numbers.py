"""Scalar functions in float64 that the draws share."""

from __future__ import annotations

import math

from pointillist.engine.cpu.jit import inner


@inner
def log_sigmoid(x: float) -> float:
    """log(1 / (1 + e^-x)), for any x."""
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


@inner
def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), for any x."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    power = math.exp(x)
    return power / (1.0 + power)
