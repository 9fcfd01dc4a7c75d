"""Record earlier sites of the canvas, and the functions of a local gain on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pointillist.engine.program import Phase
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.symbols import Canvas, Symbol, records, symbol_of
from pointillist.nn.functional import local_gain


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
