"""Run a forward once on symbols, and make the program that engines replay site by site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import Tensor

from pointillist.engine.program import ConditionInput, FloatArray, KeyValueCache, Phase, Program, View
from pointillist.engine.recording import torch_functions  # noqa: F401 (it registers the handlers)
from pointillist.engine.recording.attention import attention_operand, drawn
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.channel_split import split_by_channel
from pointillist.engine.recording.convolution import to_numpy
from pointillist.engine.recording.local_conv import neighbours
from pointillist.engine.recording.optimize import fuse
from pointillist.engine.recording.recurrence import below, recur
from pointillist.engine.recording.symbols import Canvas, Symbol, Window, make, symbol_of
from pointillist.errors import CausalityError
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.ordering import RASTER, PixelOrder


class RecordPass:
    """The methods of `Pass`, on symbols. Each writes instructions; a new way to reach across sites is a new method."""

    def __init__(self, builder: Builder, order: PixelOrder) -> None:
        self._builder = builder
        self.order = order

    def window(self, key: str, x: Tensor, *, up: int, left: int, right: int, down: int = 0) -> Tensor:
        """Keep `x` in a map; the convolution that reads the window decides which taps are gathered from it."""
        builder = self._builder
        builder.claim(key)
        extent = (up + down + 1, left + right + 1)
        if min(extent) < 1:
            builder.refuse(f"The window `{key}` spans {extent[0]}x{extent[1]} sites", "It must hold at least one site.")
        if isinstance(x, Symbol) and x.content.level == Phase.AFTER:
            builder.refuse(
                f"The window `{key}` is taken of a value that is known only after the draw",
                "What `kv_fn` of `ctx.attend` computes stays at the site; attend to it.",
            )
        if isinstance(x, Symbol) and x.content.level == Phase.GIVEN:
            if (up, left, right, down) == (0, 0, 0, 0):
                return x  # it is the same at every site; so is a map of one pixel
            builder.refuse("A window is taken of a vector, which has no neighbours", "Use a map, or a 1x1 convolution.")
        if not isinstance(x, (Canvas, Symbol)):
            builder.refuse(f"A window is taken of a {type(x).__name__}", "Take it of the canvas or a recorded value.")
        channels, height, width = x.shape[1:]
        window = make(Window, builder, channels, height + extent[0] - 1, width + extent[1] - 1)
        window.key, window.extent, window.top, window.leftmost = key, extent, -up, -left
        if isinstance(x, Canvas):
            window.top -= builder.depth  # the canvas is one for all rows; values inside `below` have maps of their own
        window.map = builder.canvas if isinstance(x, Canvas) else builder.stored(x.content)
        window.level = Phase.PIXEL if isinstance(x, Canvas) else x.content.level
        return window

    def rows(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run `fn`; its results must be known when the row above is finished."""
        self._builder.claim(key)
        outputs = fn(*inputs)
        if not isinstance(outputs, tuple):
            self._builder.refuse(f"The function of `ctx.rows` at `{key}` returns no tuple", "Return `(y,)`.")
        for index, output in enumerate(outputs):
            if isinstance(output, Symbol) and output.content.level > Phase.ROW:
                self._builder.refuse(
                    f"Result {index} of `ctx.rows` at `{key}` depends on the row that is being drawn",
                    "End its windows strictly above the site (down=-1), or compute it outside `rows`.",
                )
        return outputs

    def finer(self, key: str, x: Tensor, like: Tensor) -> Tensor:
        """Keep `x` in a map, from which each site of the finer grid reads its own quarter of the channels."""
        builder = self._builder
        builder.claim(key)
        if not isinstance(x, Symbol) or not isinstance(like, Symbol):
            builder.refuse(f"`ctx.finer` is called at `{key}` with other than recorded values", "Convolve first.")
        levels = {x.content.level, like.content.level}
        if not levels <= {Phase.ROW, Phase.PIXEL} or x.content.scale != 2 * like.content.scale:
            builder.refuse(
                f"`ctx.finer` at `{key}` does not go from a grid to the one twice as fine",
                "Coarse values come from a convolution of stride 2 over a window of the finer ones.",
            )
        if x.content.channels % 4:
            builder.refuse(f"{x.content.channels} channels are spread at `{key}`", "Make four for each that is wanted.")
        content = builder.emit(
            "FINER",
            channels=x.content.channels // 4,
            level=x.content.level,
            scale=like.content.scale,
            map=builder.stored(x.content),
            taps=((0, 0),),
            key=key,
        )
        return symbol_of(builder, content)

    def neighbours(self, key: str, x: Tensor, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Tensor:
        """A convolution of a window, whose taps on the own row depend on the curve; see `neighbours.neighbours`."""
        kernel, half = self.order.turn(weight), weight.shape[2] // 2
        reach = half * dilation
        window = self.window(key, x, up=reach, left=reach, right=reach)
        assert isinstance(window, Window)
        if self.order.snake:
            return neighbours(window, kernel, bias, dilation)
        known = torch.ones(half + 1, 2 * half + 1, dtype=kernel.dtype, device=kernel.device)
        known[half, half + 1 :] = 0
        return torch.conv2d(window, kernel[:, :, : half + 1] * known, bias, dilation=dilation)

    def given(self, key: str, t: Tensor) -> Tensor:
        """Make a place for the condition; `t` is its default."""
        builder = self._builder
        builder.claim(key)
        if isinstance(t, Symbol):
            builder.refuse(f"The condition `{key}` is a recorded value", "Conditions are tensors known before drawing.")
        if t.ndim == 4 and t.shape[2:] == (1, 1):
            level = Phase.GIVEN
        elif t.ndim == 4 and t.shape[2:] == (builder.height, builder.width):
            level = Phase.ROW
        else:
            builder.refuse(
                f"The condition `{key}` has shape {list(t.shape)}",
                f"Give a vector [b d 1 1] or a map [b d {builder.height} {builder.width}].",
            )
        kind: Literal["vector", "map"] = "vector" if level == Phase.GIVEN else "map"
        builder.givens[key] = ConditionInput(kind, t.shape[1], _channels_last(t, builder))
        return symbol_of(builder, builder.emit("GIVEN", channels=t.shape[1], level=level, key=key))

    def below(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Record `fn` for the site above; see `recurrent.below`."""
        self._builder.claim(key)
        return below(self._builder, key, fn, inputs)

    def recur(self, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool = False) -> Tensor:
        """Record one cell per site, or a whole row where the row is known; see `recurrent.recur`."""
        self._builder.claim(key)
        self._raster("recur")
        return recur(self._builder, key, cell, x, reverse=reverse)

    def attend(
        self, key: str, q: Tensor, kv_fn: Callable[..., tuple[Tensor, Tensor]], z: tuple[Tensor, ...], heads: int
    ) -> Tensor:
        """Keep `kv_fn(*z)` of each site once it is drawn, and let `q` attend to what was kept of earlier sites."""
        builder = self._builder
        builder.claim(key)
        self._raster("attend")
        if builder.depth:
            builder.refuse(f"`ctx.attend` at `{key}` runs inside `ctx.below`", "Attend outside, pass the result in.")
        keys, values = kv_fn(*(drawn(builder, key, t) for t in z))
        query, kept, brought = (attention_operand(builder, key, t, heads) for t in (q, keys, values))
        if query.level == Phase.AFTER:
            builder.refuse(f"The queries of `{key}` are known only after the draw", "Compute them outside `kv_fn`.")
        if query.channels != kept.channels:
            builder.refuse(
                f"Queries of {query.channels} and keys of {kept.channels} channels meet in `{key}`",
                "Make the counts equal.",
            )
        memory = builder.remembered(kept, brought, heads)
        found = builder.emit("ATTEND", query, channels=brought.channels, level=Phase.PIXEL, map=memory, key=key)
        return symbol_of(builder, found)

    def cross_attend(self, key: str, q: Tensor, keys: Tensor, values: Tensor, there: Tensor, heads: int) -> Tensor:
        """Make a place for the tokens, and let `q` attend to them; the order of their numbers is that of the opcode."""
        builder = self._builder
        builder.claim(key)
        query, channels = attention_operand(builder, key, q, heads, on_any_grid=True), values.shape[2]
        if any(isinstance(t, Symbol) for t in (keys, values, there)):
            builder.refuse(f"The tokens of `{key}` are recorded values", "They are tensors known before drawing.")
        if query.channels != keys.shape[2] or channels % heads:
            builder.refuse(
                f"Queries of {query.channels}, keys of {keys.shape[2]} and values of {channels} channels meet in "
                f"`{key}`, with {heads} heads",
                "Make the first two equal, and the last a multiple of the heads.",
            )
        bias = torch.zeros_like(there, dtype=keys.dtype).masked_fill(~there, -torch.inf)
        told = torch.cat([bias, keys.transpose(1, 2).flatten(1), values.flatten(1)], 1)[:, :, None, None]
        builder.givens[key] = ConditionInput("vector", told.shape[1], _channels_last(told, builder))
        tokens = builder.emit("GIVEN", channels=told.shape[1], level=Phase.GIVEN, key=key)
        memory = KeyValueCache(
            builder.place, query.channels + channels, sites=keys.shape[1], heads=heads, keys=query.channels
        )
        found = builder.emit("CROSSATTEND", query, tokens, channels=channels, map=memory, key=key)
        return symbol_of(builder, found)

    def _raster(self, method: str) -> None:
        if self.order.snake:
            self._builder.refuse(f"`ctx.{method}` cannot follow an S-curve", "Use `ctx.neighbours`.")

    def __getattr__(self, name: str) -> NoReturn:
        self._builder.refuse(
            f"`ctx.{name}` cannot be recorded",
            "Use window, rows, finer, neighbours, given, below, recur, attend or cross_attend.",
        )


def record(
    forward: Callable[[Any, Any], Any],
    *,
    sub_steps: int,
    canvas_width: int,
    height: int,
    width: int,
    dtype: torch.dtype = torch.float32,
    order: PixelOrder = RASTER,
) -> Program:
    """Run `forward(canvas, ctx)` once on symbols and return its program.

    Args:
        forward: the network, in evaluation mode. Its canvas has `sub_steps * canvas_width` channels. It returns `p`
            channels; sub-step k of a site uses channels `[k * p / sub_steps, (k + 1) * p / sub_steps)`.
        sub_steps: sub-pixels of a site, drawn one after the other.
        canvas_width: floats that one sub-pixel writes to the canvas: 1, or the size of an embedding.
        height, width: of the image; known now, so that an engine can lay out its maps.
        dtype: float32, or float64 for proofs.
        order: the order whose turned canvas has this size.

    Raises:
        CausalityError: if forward reads what is not known yet, or does what cannot be replayed.
    """
    builder = Builder(
        sub_steps=sub_steps,
        canvas_width=canvas_width,
        height=height,
        width=width,
        dtype=np.dtype(np.float64 if dtype == torch.float64 else np.float32),
        snake=order.snake,
    )
    canvas = make(Canvas, builder, sub_steps * canvas_width, height, width)
    with torch.no_grad():
        output = forward(canvas, RecordPass(builder, order))
    if not isinstance(output, Symbol):
        raise CausalityError(f"forward returned a {type(output).__name__}: it must return the recorded parameters.")
    params = output.content
    if params.channels % sub_steps:
        builder.refuse(
            f"forward returned {params.channels} parameters for {sub_steps} sub-steps", "Return a multiple of them."
        )
    fuse(builder, params)
    return _assemble(builder, params)


def _assemble(builder: Builder, params: View) -> Program:
    """Cut the pixel part into sub-steps, which proves the channel masks, and lay out the weights."""
    if params.level == Phase.AFTER:
        builder.refuse("The parameters of a site are known only after its draw", "Use what `ctx.attend` returns.")
    steps = split_by_channel(builder, params)
    parts = [tuple(builder.code[level]) for level in Phase]
    weights, (once, row, pixel, after, *steps) = builder.weights.compact([*parts, *steps])
    used = {i.map for part in (row, pixel, after) for i in part if i.map is not None} | {builder.canvas}
    return Program(
        height=builder.height,
        width=builder.width,
        sub_steps=builder.sub_steps,
        canvas_width=builder.canvas_width,
        canvas=builder.canvas,
        maps=tuple(m for m in builder.maps if m in used),
        memories=tuple(m for m in builder.memories if m in used),
        givens=builder.givens,
        weights=weights,
        once=once,
        row=row,
        pixel=pixel,
        steps=tuple(steps),
        after=after,
        params=params,
        snake=builder.snake,
    )


def _channels_last(t: Tensor, builder: Builder) -> FloatArray:
    """`[n, d]` of a vector, `[n, height, width, d]` of a map."""
    array: FloatArray = to_numpy(t).astype(builder.weights.dtype)
    return array[:, :, 0, 0] if array.shape[2:] == (1, 1) else np.ascontiguousarray(array.transpose(0, 2, 3, 1))
