"""Record what reads the canvas after the draw (attention), an LSTM over sites, a shift by a row, and local gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.engine.program import ConditionInput, FeatureMap, Instruction, Phase, Tap, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.convolution import Kernel, linear, to_numpy
from pointillist.engine.recording.symbols import Canvas, Symbol, recorded, records, symbol_of
from pointillist.nn.functional import local_gain
from pointillist.nn.functional.attention import Tokens
from pointillist.nn.functional.recurrence import LSTMCellParams, lstm


def canvas_after_draw(builder: Builder, key: str, t: Tensor) -> Tensor:
    """Return a source of keys and values: a recorded value, or the canvas after the draw of the site.

    Raises:
        CausalityError: if `t` is neither.
    """
    if isinstance(t, Canvas):
        canvas = builder.canvas
        return symbol_of(
            builder,
            builder.emit(
                "GATHER",
                channels=canvas.channels,
                phase=Phase.POST_DRAW,
                map=canvas,
                taps=((0, 0),),
                key=f"{key} (after draw)",
            ),
        )
    recorded(builder, t, f"`{key}` makes keys from a {type(t).__name__}", "Use the canvas, or recorded values.")
    return t


def attention_operand(builder: Builder, key: str, t: Tensor, heads: int, *, on_any_grid: bool = False) -> View:
    """Return the view of queries, keys or values, once its channels can be shared by the heads.

    Raises:
        CausalityError: if `t` is not recorded, its channels are not a multiple of the heads, or its grid is coarse.
    """
    what = f"`{key}` is given a {type(t).__name__}"
    view = recorded(builder, t, what, "Queries, keys and values are recorded values.")
    if view.channels % heads:
        builder.reject(f"{view.channels} channels meet {heads} heads in `{key}`", "Use a multiple of the heads.")
    if not on_any_grid:
        builder.require_finest_grid(key, view)
    return view


def record_cross_attention(
    builder: Builder, key: str, query: View, tokens: Tokens, keys: nn.Linear, values: nn.Linear, heads: int
) -> View:
    """Record attention to tokens: an input of each image, a product for each token, and CROSS_ATTEND.

    Raises:
        CausalityError: if the tokens are recorded values, or the channels do not fit.
    """
    if isinstance(tokens.states, Symbol):
        builder.reject(f"The tokens of `{key}` are recorded values", "They are tensors known before drawing.")
    if query.channels != keys.out_features or values.out_features % heads:
        builder.reject(
            f"Queries of {query.channels}, keys of {keys.out_features} and values of {values.out_features} channels "
            f"meet in `{key}`, with {heads} heads",
            "Make the first two equal, and the last a multiple of the heads.",
        )
    count, size = tokens.states.shape[1:]
    packed = to_numpy(tokens.packed()).astype(builder.dtype)[:, :, 0, 0]
    builder.inputs[key] = ConditionInput("vector", packed.shape[1], packed)
    condition = builder.emit("INPUT", channels=packed.shape[1], phase=Phase.IMAGE, key=key)
    width = keys.out_features + values.out_features
    bias: list[Tensor] = [torch.zeros_like(m.weight[:, 0]) if m.bias is None else m.bias for m in (keys, values)]
    constants = {
        "matrix": np.array(to_numpy(torch.cat([keys.weight, values.weight]).T), builder.dtype, order="C"),
        "bias": np.array(to_numpy(torch.cat(bias)), builder.dtype),
    }
    entries = builder.value(count * width, Phase.IMAGE, 1)
    for token in range(count):  # the arrays are shared: a weight counts once
        state, entry = condition.narrow(count + token * size, size), entries.narrow(token * width, width)
        builder.code[Phase.IMAGE].append(Instruction("LINEAR", Phase.IMAGE, entry, (state,), builder.scope, constants))
    mask, number = condition.narrow(0, count), np.array([heads])
    return builder.emit(
        "CROSS_ATTEND", query, mask, entries, channels=values.out_features, constants={"heads": number}, key=key
    )


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
    what, remedy = f"The recurrence `{key}` runs over a {type(x).__name__} without sites", "Give it a recorded map."
    view = recorded(builder, x, what, remedy)
    if view.phase == Phase.IMAGE:
        builder.reject(what, remedy)
    builder.require_finest_grid(key, view)
    channels = 4 * len(cell.initial_hidden)
    if view.channels != channels:
        builder.reject(
            f"The recurrence `{key}` gets {view.channels} channels", f"It needs {channels}, one for each gate."
        )
    if view.phase == Phase.SITE and reverse and cell.along == "diagonals":
        builder.reject(
            f"The recurrence `{key}` runs from right to left in the row that is being drawn",
            "Run it in the row above, inside `ctx.shift_down`.",
        )
    if view.phase == Phase.ROW and cell.along == "diagonals":
        return _scan(builder, key, cell, x, reverse=reverse)
    return _step(builder, key, cell, x, reverse=reverse)


def _step(builder: Builder, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool) -> Symbol:
    """Record the cell of one site, with the states of its neighbours from feature maps."""
    hidden, cell_state = (_state(builder, cell, start) for start in (cell.initial_hidden, cell.initial_cell))
    pre = x
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


def _scan(builder: Builder, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool) -> Symbol:
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


def _keep(builder: Builder, key: str, x: Tensor) -> Tensor | FeatureMap:
    """Store an input of `shift_down` until the next row."""
    if isinstance(x, Canvas):
        return x
    what = f"`ctx.shift_down` at `{key}` is given a {type(x).__name__}"
    view = recorded(builder, x, what, "Give it recorded values or the canvas.")
    if view.phase == Phase.IMAGE:
        return x
    builder.require_finest_grid(key, view)
    return builder.stored_map(view)


def _above(builder: Builder, key: str, x: Tensor | FeatureMap) -> Tensor:
    if not isinstance(x, FeatureMap):
        return x
    view = builder.emit("GATHER", channels=x.channels, phase=Phase.ROW, map=x, taps=((-1, 0),), key=key)
    return symbol_of(builder, view)


def _moved(builder: Builder, key: str, output: Tensor) -> Symbol:
    what = f"A result of `ctx.shift_down` at `{key}` is not a recorded value of the row above"
    remedy = "Let it depend on the row above only (down=0), through the inputs of the function."
    view = recorded(builder, output, what, remedy)
    if view.phase == Phase.SITE:
        builder.reject(what, remedy)
    if view.phase > Phase.IMAGE and view.value.depth != builder.depth + 1:
        builder.reject(f"A result of `ctx.shift_down` at `{key}` is a value of another row", "Pass it as an input.")
    return symbol_of(builder, builder.shift_down(view))


def record_taps(builder: Builder, key: str, x: Tensor, offsets: Sequence[tuple[int, int]]) -> tuple[Symbol, Symbol]:
    """Gather the canvas at earlier sites, and 1 where these lie in the image.

    Taps on finished rows are known when the row above is.

    Raises:
        CausalityError: if a site is not an earlier one, or `x` is not the canvas.
    """
    if not isinstance(x, Canvas) or builder.depth:
        builder.reject(f"`ctx.taps` at `{key}` does not read the canvas of the current row", "Give it the canvas.")
    taps = tuple(offsets)
    if not taps or max(taps) >= (0, 0):
        builder.reject(f"`ctx.taps` at `{key}` reads a site that is not known yet", "Read earlier sites only.")
    phase = Phase.ROW if all(row < 0 for row, _ in taps) else Phase.SITE
    values = [
        builder.emit("GATHER", channels=len(taps) * each.channels, phase=phase, scale=1, map=each, taps=taps, key=key)
        for each in (builder.canvas, builder.ones_map())
    ]
    return symbol_of(builder, values[0]), symbol_of(builder, values[1])


@records(local_gain.predict)
def _predict(near: Symbol, inside: Symbol, levels: int) -> Symbol:
    return _emit("PREDICT", levels, near.content.channels // 4 + 1, near, inside)


@records(local_gain.normalise)
def _normalise(x: Symbol, inside: Symbol, prediction: Symbol, levels: int) -> Symbol:
    return _emit("NORMALISE", levels, x.content.channels + prediction.content.channels, x, inside, prediction)


@records(local_gain.place)
def _place(params: Symbol, prediction: Symbol, levels: int) -> Symbol:
    return _emit("PLACE", levels, params.content.channels, params, prediction)


def _emit(opcode: str, levels: int, channels: int, *inputs: Symbol) -> Symbol:
    builder, views = inputs[0].builder, [x.content for x in inputs]
    phase = max(Phase.ROW, *(view.phase for view in views))
    constants = {"levels": np.array([levels])}
    return symbol_of(builder, builder.emit(opcode, *views, channels=channels, phase=phase, constants=constants))
