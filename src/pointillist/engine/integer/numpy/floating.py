"""Opcodes of floating-point programs over whole maps, for calibration. Their meaning is in `engine/opcodes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pointillist.engine.integer.numpy.frames import Array, Frames, Region
from pointillist.engine.integer.numpy.moves import MOVES, Operation

Formula = Callable[..., Array]


def sigmoid(x: Array) -> Array:
    """Compute 1 / (1 + exp(-x)), without overflow."""
    result: Array = (np.tanh(x / 2) + 1) / 2
    return result


def elu(x: Array) -> Array:
    """Compute x where x > 0, else exp(x) - 1."""
    result: Array = np.maximum(x, 0) + np.expm1(np.minimum(x, 0))
    return result


def gelu(x: Array) -> Array:
    """Compute the tanh form of GELU (Hendrycks and Gimpel 2016)."""
    result: Array = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return result


FORMULAS: dict[str, Formula] = {
    "ADD": np.add,
    "MULTIPLY": np.multiply,
    "OFFSET": np.add,
    "SCALE": np.multiply,
    "TANH": np.tanh,
    "SIGMOID": sigmoid,
    "GATE": lambda x, y: np.tanh(x) * sigmoid(y),
    "RELU": lambda x: np.maximum(x, 0),
    "ELU": elu,
    "GELU": gelu,
    "CONSTANT": lambda constant: constant,
}


def linear(frames: Frames, i: Any, region: Region) -> None:
    """Compute x @ matrix [+ bias] [+ start]."""
    x, *start = (frames.read(view, region) for view in i.inputs)
    matrix, *bias = i.constants.values()
    result = x.reshape(-1, x.shape[-1]) @ matrix
    for term in bias:
        result = result + term
    result = result.reshape(*x.shape[:-1], -1)
    for term in start:
        result = result + term
    frames.write(i.output, region, result)


def elementwise(frames: Frames, i: Any, region: Region) -> None:
    """Compute a formula of the inputs and the constants."""
    inputs = [frames.read(view, region) for view in i.inputs]
    frames.write(i.output, region, FORMULAS[i.opcode](*inputs, *i.constants.values()))


def attend(frames: Frames, i: Any, region: Region) -> None:
    """Attend to all earlier sites, head by head."""
    cache, query = i.map, frames.read(i.inputs[0], region)
    heads, entries = cache.num_heads, frames.caches[cache]
    keys = entries[..., : cache.key_channels].reshape(*entries.shape[:2], heads, -1)
    values = entries[..., cache.key_channels :].reshape(*entries.shape[:2], heads, -1)
    result = np.zeros((*query.shape[:3], i.output.channels), query.dtype)
    for r, row in enumerate(range(region.rows.start, region.rows.stop)):
        for n, column in enumerate(range(region.columns.start, region.columns.stop)):
            site = row * frames.width + column
            if site:
                q = query[:, r, n].reshape(len(query), heads, -1) * cache.key_width**-0.5
                scores = np.einsum("bhk,bshk->bhs", q, keys[:, :site])
                weights = np.exp(scores - scores.max(axis=2, keepdims=True))
                weights /= weights.sum(axis=2, keepdims=True)
                result[:, r, n] = np.einsum("bhs,bshv->bhv", weights, values[:, :site]).reshape(len(query), -1)
    frames.write(i.output, region, result)


def scan(frames: Frames, i: Any, region: Region) -> None:
    """Run an LSTM along the row; see `engine/opcodes/recurrence.py`."""
    x = frames.read(i.inputs[0], region)
    matrix, hidden, cell = i.constants.values()
    d, ((_, side),), columns = len(hidden), i.taps, range(x.shape[2])
    result = np.zeros((*x.shape[:3], d), x.dtype)
    state = np.broadcast_to(hidden, result[:, :, 0].shape)
    for column in columns if side < 0 else columns[::-1]:
        pre = x[:, :, column] + state @ matrix
        gates = sigmoid(pre[..., : 3 * d])
        cell = gates[..., d : 2 * d] * cell + gates[..., 2 * d :] * np.tanh(pre[..., 3 * d :])
        state = gates[..., :d] * np.tanh(cell)
        result[:, :, column] = state
    frames.write(i.output, region, result)


FLOAT_OPERATIONS: dict[str, Operation] = {
    **MOVES,
    **dict.fromkeys(FORMULAS, elementwise),
    "LINEAR": linear,
    "ATTEND": attend,
    "SCAN": scan,
}
