"""Local gain in the virtual machine: see `engine/opcodes/local_gain.py` for what each opcode means.

Fields: Y the output; X, Z and P the inputs; N channels of the image; K neighbours, components, or for PREDICT the
exponent where too few neighbours lie in the image; A the offset of the distance between levels on [-1, 1], a constant.
"""

from __future__ import annotations

import math
from typing import Any

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.jit import inner

Array = Any  # numba finds the types

REACH, LARGEST, EXPONENT_UNIT, FEWEST = 8.0, 8.0 - 1 / 16, 1 / 8, 2


@inner
def predict(s: Array, line: Array, y: int, x: int, z: int) -> None:
    """Compute the prediction of each channel, and the exponent of the gain."""
    c, step = line[bc.N], s[line[bc.A]]
    for b in range(line[bc.OUTER]):
        for i in range(line[bc.INNER]):
            out = y + b * line[bc.Y_OUTER] + i * line[bc.Y_INNER]
            near = x + b * line[bc.X_OUTER] + i * line[bc.X_INNER]
            inside = z + b * line[bc.Z_OUTER] + i * line[bc.Z_INNER]
            distance, count = 0.0, 0
            for k in range(4):
                count += s[inside + k] != 0
            for j in range(c):
                left, corner, above, right = s[near + j], s[near + c + j], s[near + 2 * c + j], s[near + 3 * c + j]
                above = above if s[inside + 2] != 0 else left
                left = left if s[inside] != 0 else above
                corner = corner if s[inside + 1] != 0 else above
                right = right if s[inside + 3] != 0 else above
                base = max(min(left, above), min(max(left, above), left + above - corner))
                distance += abs(left - base) + abs(corner - base) + abs(above - base) + abs(right - base)
                s[out + j] = base
            exponent = math.floor(math.log2(distance / (4 * c) / step + 0.5) + 0.5)
            s[out + c] = exponent if count >= FEWEST else line[bc.K]


@inner
def normalise(s: Array, line: Array, y: int, x: int, z: int, p: int) -> None:
    """Compute neighbours relative to the prediction, in units of the gain."""
    c, count, step = line[bc.N], line[bc.K], s[line[bc.A]]
    for b in range(line[bc.OUTER]):
        for i in range(line[bc.INNER]):
            out = y + b * line[bc.Y_OUTER] + i * line[bc.Y_INNER]
            pixels = x + b * line[bc.X_OUTER] + i * line[bc.X_INNER]
            inside = z + b * line[bc.Z_OUTER] + i * line[bc.Z_INNER]
            base = p + b * line[bc.P_OUTER] + i * line[bc.P_INNER]
            exponent = s[base + c]
            scale = 2.0**-exponent / step
            for k in range(count):
                known = s[inside + k] != 0
                for j in range(c):
                    relative = (s[pixels + k * c + j] - s[base + j]) * scale if known else 0.0
                    s[out + k * c + j] = min(max(relative, -REACH), LARGEST)
            for j in range(c):
                s[out + count * c + j] = s[base + j]
            s[out + count * c + c] = exponent * EXPONENT_UNIT


@inner
def place(s: Array, line: Array, y: int, x: int, z: int) -> None:
    """Turn the outputs of a network into parameters around the prediction; Z holds what `predict` makes."""
    c, m, step = line[bc.N], line[bc.K], s[line[bc.A]]
    couplings = m * (1 + 2 * c)
    for b in range(line[bc.OUTER]):
        for i in range(line[bc.INNER]):
            out = y + b * line[bc.Y_OUTER] + i * line[bc.Y_INNER]
            params = x + b * line[bc.X_OUTER] + i * line[bc.X_INNER]
            base = z + b * line[bc.Z_OUTER] + i * line[bc.Z_INNER]
            exponent = s[base + c]
            gain, log_gain = 2.0**exponent * step, exponent * math.log(2.0) + math.log(step)
            for j in range(m):
                s[out + j] = s[params + j]
            for channel in range(c):
                first = couplings + m * (channel * (channel - 1) // 2)
                for j in range(m):
                    mean = s[base + channel] + gain * s[params + m * (1 + channel) + j]
                    for before in range(channel):
                        mean -= math.tanh(s[params + first + m * before + j]) * s[base + before]
                    s[out + m * (1 + channel) + j] = mean
                    s[out + m * (1 + c + channel) + j] = s[params + m * (1 + c + channel) + j] + log_gain
            for j in range(m * (c * (c - 1) // 2)):
                s[out + couplings + j] = s[params + couplings + j]
