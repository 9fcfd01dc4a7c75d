"""Record an LSTM over sites, and a function shifted down by one row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from pointillist.engine.program import FeatureMap, Phase, Tap, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.convolution import Kernel, linear, to_numpy
from pointillist.engine.recording.symbols import Canvas, Symbol, symbol_of
from pointillist.nn.functional.recurrence import LSTMCellParams, lstm


def shift_down(
    builder: Builder, key: str, fn: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Record `fn` over the finished row above. Its inputs come from there, and its results are zero at the first row.

    All of it runs in the row part, and not at the first row (`Instruction.first_row`), so that its feature maps hold
    their initial values there, as above the image.
    """
    stored = [_keep(builder, key, x) for x in inputs]
    builder.depth += 1
    outputs = fn(*(_above(builder, key, x) for x in stored))
    builder.depth -= 1
    if not isinstance(outputs, tuple):
        builder.reject(f"The function of `ctx.shift_down` at `{key}` returns no tuple", "Return `(y,)`.")
    return tuple(_moved(builder, key, output) for output in outputs)


def recur(builder: Builder, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool) -> Tensor:
    """Record an LSTM over sites. Its taps on the row above become one product over the row."""
    if not isinstance(x, Symbol) or x.content.phase == Phase.IMAGE:
        builder.reject(
            f"The recurrence `{key}` runs over a {type(x).__name__} without sites", "Give it a recorded map."
        )
    builder.require_finest_grid(key, x.content)
    channels = 4 * len(cell.initial_hidden)
    if x.content.channels != channels:
        builder.reject(
            f"The recurrence `{key}` gets {x.content.channels} channels", f"It needs {channels}, one for each gate."
        )
    if x.content.phase == Phase.SITE and reverse and cell.along == "diagonals":
        builder.reject(
            f"The recurrence `{key}` runs from right to left in the row that is being drawn",
            "Run it in the row above, inside `ctx.shift_down`.",
        )
    if x.content.phase == Phase.ROW and cell.along == "diagonals":
        return _scan(builder, key, cell, x, reverse=reverse)
    return _step(builder, key, cell, x, reverse=reverse)


def _step(builder: Builder, key: str, cell: LSTMCellParams, x: Symbol, *, reverse: bool) -> Symbol:
    """Record the cell of one site, with the states of its neighbours from feature maps."""
    hidden, cell_state = (_state(builder, cell, start) for start in (cell.initial_hidden, cell.initial_cell))
    pre: Tensor = x
    for above in (True, False):
        pairs = zip(cell.taps(reverse=reverse), to_numpy(cell.weight), strict=True)
        taps = {tap: matrix for tap, matrix in pairs if (tap[0] < 0) == above}
        if taps:
            pre = pre + _read(builder, key, hidden, taps)
    carry = cell.carry(reverse=reverse)
    phase = Phase.ROW if carry[0] < 0 else Phase.SITE
    carried = builder.emit("GATHER", channels=cell_state.channels, phase=phase, map=cell_state, taps=(carry,), key=key)
    results = lstm(pre, symbol_of(builder, carried))
    for result, state in zip(results, (hidden, cell_state), strict=True):
        builder.store(content(result), state)
    return symbol_of(builder, content(results[0]))


def _scan(builder: Builder, key: str, cell: LSTMCellParams, x: Symbol, *, reverse: bool) -> Symbol:
    """Record the cells of a row whose input is known: the tap on the row above first, then a scan along the row."""
    above, before = to_numpy(cell.weight)
    hidden = builder.state_map(len(cell.initial_hidden))
    pre = x + _read(builder, key, hidden, {(-1, 0): above})
    result = builder.emit(
        "SCAN",
        content(pre),
        channels=hidden.channels,
        constants={"matrix": before, "hidden": to_numpy(cell.initial_hidden), "cell": to_numpy(cell.initial_cell)},
        taps=(cell.carry(reverse=reverse),),
    )
    builder.store(result, hidden)
    return symbol_of(builder, result)


def content(x: Tensor) -> View:
    """Return the view of a symbol."""
    assert isinstance(x, Symbol)
    return x.content


def _state(builder: Builder, cell: LSTMCellParams, start: Tensor) -> FeatureMap:
    """Create a feature map with the initial state outside the image."""
    state, numbers = builder.state_map(len(start)), to_numpy(start).astype(builder.dtype)
    if cell.along == "rows":
        state.initial_above = numbers
    else:
        state.initial_left = numbers
    return state


def _read(builder: Builder, key: str, feature_map: FeatureMap, taps: dict[Tap, Kernel]) -> Symbol:
    """Record the sum over taps of a matrix times the state there."""
    phase = Phase.ROW if all(dy < 0 for dy, _ in taps) else Phase.SITE
    channels = len(taps) * feature_map.channels
    read = builder.emit("GATHER", channels=channels, phase=phase, map=feature_map, taps=tuple(taps), key=key)
    return symbol_of(builder, linear(builder, read, np.concatenate(list(taps.values()))))


def _keep(builder: Builder, key: str, x: Tensor) -> Canvas | Symbol | FeatureMap:
    """Store an input of `shift_down` until the next row."""
    if isinstance(x, Canvas) or (isinstance(x, Symbol) and x.content.phase == Phase.IMAGE):
        return x
    if not isinstance(x, Symbol):
        builder.reject(
            f"`ctx.shift_down` at `{key}` is given a {type(x).__name__}", "Give it recorded values or the canvas."
        )
    builder.require_finest_grid(key, x.content)
    return builder.stored_map(x.content)


def _above(builder: Builder, key: str, x: Canvas | Symbol | FeatureMap) -> Canvas | Symbol:
    if not isinstance(x, FeatureMap):
        return x
    view = builder.emit("GATHER", channels=x.channels, phase=Phase.ROW, map=x, taps=((-1, 0),), key=key)
    return symbol_of(builder, view)


def _moved(builder: Builder, key: str, output: Tensor) -> Symbol:
    if not isinstance(output, Symbol) or output.content.phase == Phase.SITE:
        builder.reject(
            f"A result of `ctx.shift_down` at `{key}` is not a recorded value of the row above",
            "Let it depend on the row above only (down=0), through the inputs of the function.",
        )
    if output.content.phase > Phase.IMAGE and output.content.value.depth != builder.depth + 1:
        builder.reject(f"A result of `ctx.shift_down` at `{key}` is a value of another row", "Pass it as an input.")
    return symbol_of(builder, builder.shift_down(output.content))
