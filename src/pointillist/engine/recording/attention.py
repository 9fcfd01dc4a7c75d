"""Check the operands of attention, and read the canvas after the draw."""

from __future__ import annotations

from torch import Tensor

from pointillist.engine.program import Phase, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.symbols import Canvas, Symbol, symbol_of


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
    if not isinstance(t, Symbol):
        builder.reject(f"`{key}` makes keys from a {type(t).__name__}", "Use the canvas, or recorded values.")
    return t


def attention_operand(builder: Builder, key: str, t: Tensor, heads: int, *, on_any_grid: bool = False) -> View:
    """Return the view of queries, keys or values, once its channels can be shared by the heads.

    Raises:
        CausalityError: if `t` is not recorded, its channels are not a multiple of the heads, or its grid is coarse.
    """
    if not isinstance(t, Symbol):
        builder.reject(f"`{key}` is given a {type(t).__name__}", "Queries, keys and values are recorded values.")
    if t.content.channels % heads:
        builder.reject(f"{t.content.channels} channels meet {heads} heads in `{key}`", "Use a multiple of the heads.")
    if not on_any_grid:
        builder.require_finest_grid(key, t.content)
    return t.content
