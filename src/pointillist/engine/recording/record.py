"""Run a forward once on symbols, and make the program that engines run site by site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.engine.program import ConditionInput, FloatArray, Phase, Program, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.convolution import record_local_convolution, to_numpy
from pointillist.engine.recording.layers import (
    attention_operand,
    canvas_after_draw,
    record_cross_attention,
    record_taps,
    recur,
    shift_down,
)
from pointillist.engine.recording.optimize import optimize_program, split_by_channel
from pointillist.engine.recording.symbols import Canvas, Symbol, Window, make, recorded, symbol_of
from pointillist.errors import CausalityError
from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.nn.functional.attention import Tokens
from pointillist.nn.functional.recurrence import LSTMCellParams

_REACHES = {
    "GATHER": "takes a window",
    "UPSAMPLE": "reads a coarser grid",
    "SHIFT_DOWN": "reads the row above",
    "ATTEND": "attends to earlier pixels",
}
"""Opcodes that read other sites; a gather does where a tap is not the site itself. Recurrences begin with a gather."""


class RecordPass:
    """Implement `Pass` on symbols. Each method emits instructions; a new way to reach other sites is a new method."""

    def __init__(self, builder: Builder, order: PixelOrder) -> None:
        self._builder = builder
        self.order = order

    def window(self, key: str, x: Tensor, *, up: int, left: int, right: int, down: int = 0) -> Tensor:
        """Store `x` in a feature map. The convolution that reads the window selects the taps to gather from it."""
        builder = self._builder
        builder.claim_key(key)
        extent = (up + down + 1, left + right + 1)
        if min(extent) < 1:
            builder.reject(f"The window `{key}` spans {extent[0]}x{extent[1]} sites", "It must hold at least one site.")
        channels, height, width = x.shape[1:]
        window = make(Window, builder, channels, height + extent[0] - 1, width + extent[1] - 1)
        window.key, window.extent, window.top, window.leftmost = key, extent, -up, -left
        if isinstance(x, Canvas):
            window.top -= builder.depth  # all rows share the canvas
            window.map, window.phase = builder.canvas, Phase.ROW if builder.is_grid else Phase.SITE
            return window
        what = f"A window is taken of a {type(x).__name__}"
        view = recorded(builder, x, what, "Take it of the canvas or a recorded value.")
        if view.phase == Phase.POST_DRAW:
            builder.reject(
                f"The window `{key}` is taken of a value that is known only after the draw",
                "What `kv_fn` of `ctx.attend` computes stays at the site; attend to it.",
            )
        if view.phase == Phase.IMAGE:
            if (up, left, right, down) == (0, 0, 0, 0):
                return x  # a vector is the same at every site, and so is a map of one pixel
            builder.reject("A window is taken of a vector, which has no neighbours", "Use a map, or a 1x1 convolution.")
        window.map, window.phase = builder.stored_map(view), view.phase
        return window

    def taps(self, key: str, x: Tensor, offsets: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Gather from the canvas, and from a map of ones; see `record_taps`."""
        self._builder.claim_key(key)
        self._raster("taps")
        return record_taps(self._builder, key, x, offsets)

    def rows(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run `fn`, and check that its results are known when the row above is finished."""
        self._builder.claim_key(key)
        outputs = fn(*inputs)
        if not isinstance(outputs, tuple):
            self._builder.reject(f"The function of `ctx.rows` at `{key}` returns no tuple", "Return `(y,)`.")
        for index, output in enumerate(outputs):
            if isinstance(output, Symbol) and output.content.phase > Phase.ROW:
                self._builder.reject(
                    f"Result {index} of `ctx.rows` at `{key}` depends on the row that is being drawn",
                    "End its windows strictly above the site (down=-1), or compute it outside `rows`.",
                )
        return outputs

    def upsample(self, key: str, x: Tensor, like: Tensor) -> Tensor:
        """Store `x` in a feature map, from which each site of the finer grid reads its quarter of the channels."""
        builder = self._builder
        builder.claim_key(key)
        what = f"`ctx.upsample` is called at `{key}` with other than recorded values"
        coarse, fine = (recorded(builder, each, what, "Convolve first.") for each in (x, like))
        if not {coarse.phase, fine.phase} <= {Phase.ROW, Phase.SITE} or coarse.scale != 2 * fine.scale:
            builder.reject(
                f"`ctx.upsample` at `{key}` does not go from a grid to the one twice as fine",
                "Coarse values come from a convolution of stride 2 over a window of the finer ones.",
            )
        if coarse.channels % 4:
            builder.reject(f"{coarse.channels} channels are spread at `{key}`", "Make four for each that is wanted.")
        content = builder.emit(
            "UPSAMPLE",
            channels=coarse.channels // 4,
            phase=coarse.phase,
            scale=fine.scale,
            map=builder.stored_map(coarse),
            taps=((0, 0),),
            key=key,
        )
        return symbol_of(builder, content)

    def neighbours(self, key: str, x: Tensor, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Tensor:
        """Convolve a window. The taps on the current row depend on the order; see `record_local_convolution`."""
        kernel, half = self.order.to_raster(weight), weight.shape[2] // 2
        reach = half * dilation
        window = self.window(key, x, up=reach, left=reach, right=reach)
        assert isinstance(window, Window)
        if self.order.s_curve:
            return record_local_convolution(window, kernel, bias, dilation)
        taps = torch.ones(half + 1, 2 * half + 1, dtype=kernel.dtype, device=kernel.device)
        taps[half, half + 1 :] = 0
        return torch.conv2d(window, kernel[:, :, : half + 1] * taps, bias, dilation=dilation)

    def external(self, key: str, t: Tensor) -> Tensor:
        """Declare an input of the program; `t` is its default."""
        builder = self._builder
        builder.claim_key(key)
        if isinstance(t, Symbol):
            builder.reject(f"The condition `{key}` is a recorded value", "Conditions are tensors known before drawing.")
        if t.ndim == 4 and t.shape[2:] == (1, 1):
            phase = Phase.IMAGE
        elif t.ndim == 4 and t.shape[2:] == (builder.height, builder.width):
            phase = Phase.ROW
        else:
            builder.reject(
                f"The condition `{key}` has shape {list(t.shape)}",
                f"Give a vector [b d 1 1] or a map [b d {builder.height} {builder.width}].",
            )
        kind: Literal["vector", "map"] = "vector" if phase == Phase.IMAGE else "map"
        builder.inputs[key] = ConditionInput(kind, t.shape[1], _to_channels_last(t, builder.dtype))
        return symbol_of(builder, builder.emit("INPUT", channels=t.shape[1], phase=phase, key=key))

    def shift_down(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Record `fn` for the site above; see `recurrence.shift_down`."""
        self._builder.claim_key(key)
        return shift_down(self._builder, key, fn, inputs)

    def recur(self, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool = False) -> Tensor:
        """Record one cell per site, or a whole row where its input is known; see `recurrence.recur`."""
        self._builder.claim_key(key)
        self._raster("recur")
        return recur(self._builder, key, cell, x, reverse=reverse)

    def attend(
        self, key: str, q: Tensor, kv_fn: Callable[..., tuple[Tensor, Tensor]], z: tuple[Tensor, ...], heads: int
    ) -> Tensor:
        """Store `kv_fn(*z)` of each site after its draw, and let `q` attend to the entries of earlier sites."""
        builder = self._builder
        builder.claim_key(key)
        self._raster("attend")
        if builder.depth:
            builder.reject(
                f"`ctx.attend` at `{key}` runs inside `ctx.shift_down`", "Attend outside, pass the result in."
            )
        keys, values = kv_fn(*(canvas_after_draw(builder, key, t) for t in z))
        query, key_view, value_view = (attention_operand(builder, key, t, heads) for t in (q, keys, values))
        if query.phase == Phase.POST_DRAW:
            builder.reject(f"The queries of `{key}` are known only after the draw", "Compute them outside `kv_fn`.")
        if query.channels != key_view.channels:
            builder.reject(
                f"Queries of {query.channels} and keys of {key_view.channels} channels meet in `{key}`",
                "Make the counts equal.",
            )
        cache = builder.kv_cache(key_view, value_view, heads)
        result = builder.emit("ATTEND", query, channels=value_view.channels, phase=Phase.SITE, map=cache, key=key)
        return symbol_of(builder, result)

    def cross_attend(
        self, key: str, q: Tensor, tokens: Tokens, keys: nn.Linear, values: nn.Linear, heads: int
    ) -> Tensor:
        """Declare the tokens as an input, compute keys and values of each, and let `q` attend to them."""
        builder = self._builder
        builder.claim_key(key)
        query = attention_operand(builder, key, q, heads, on_any_grid=True)
        return symbol_of(builder, record_cross_attention(builder, key, query, tokens, keys, values, heads))

    def _raster(self, method: str) -> None:
        if self.order.s_curve:
            self._builder.reject(f"`ctx.{method}` cannot follow an S-curve", "Use `ctx.neighbours`.")

    def __getattr__(self, name: str) -> NoReturn:
        self._builder.reject(
            f"`ctx.{name}` cannot be recorded",
            "Use window, taps, rows, upsample, neighbours, external, shift_down, recur, attend or cross_attend.",
        )


def record(
    forward: Callable[[Any, Any], Any],
    *,
    num_sub_steps: int,
    canvas_width: int,
    height: int,
    width: int,
    dtype: torch.dtype = torch.float32,
    order: PixelOrder | None = RASTER,
    canvas_values: Tensor | None = None,
) -> Program:
    """Run `forward(canvas, ctx)` once on symbols and return its program.

        program = record(network, num_sub_steps=1, canvas_width=1, height=8, width=8)

    Args:
        forward: the network, in evaluation mode. Its canvas has `num_sub_steps * canvas_width` channels. It returns `p`
            channels; sub-step k of a site uses channels `[k * p / num_sub_steps, (k + 1) * p / num_sub_steps)`.
        num_sub_steps: sub-pixels of a site, drawn one after the other.
        canvas_width: floats that one sub-pixel writes to the canvas: 1, or the size of an embedding.
        height, width: size of the image in the raster frame. It is fixed here, so that an engine can allocate its maps.
        dtype: float32, or float64 for proofs.
        order: the generation order; None if the canvas is complete beforehand: windows may have rows below.
        canvas_values: what each level writes to the canvas, `[levels, e]`: steppers need it.

    Raises:
        CausalityError: if the forward reads a site that is not known yet, or cannot be run site by site.
    """
    builder = Builder(
        num_sub_steps=num_sub_steps,
        canvas_width=canvas_width,
        height=height,
        width=width,
        dtype=np.dtype(np.float64 if dtype == torch.float64 else np.float32),
        s_curve=order is not None and order.s_curve,
        is_grid=order is None,
    )
    canvas = make(Canvas, builder, num_sub_steps * canvas_width, height, width)
    with torch.no_grad():
        output = forward(canvas, RecordPass(builder, order or RASTER))
    what = f"forward returned a {type(output).__name__}"
    params = recorded(builder, output, what, "It must return the recorded parameters.")
    if params.channels % num_sub_steps:
        builder.reject(
            f"forward returned {params.channels} parameters for {num_sub_steps} sub-steps", "Return a multiple of them."
        )
    optimize_program(builder, params)
    program = _assemble(builder, params)
    return program if canvas_values is None else with_inputs(program, {}, canvas_values)


def _assemble(builder: Builder, params: View) -> Program:
    """Split the sites into sub-steps, which proves the channel masks."""
    if params.phase == Phase.POST_DRAW:
        builder.reject("The parameters of a site are known only after its draw", "Use what `ctx.attend` returns.")
    sub_steps = split_by_channel(builder, params)
    per_image, per_row, per_site, post_draw = (tuple(builder.code[phase]) for phase in Phase)
    used = {i.map for part in (per_row, per_site, post_draw) for i in part if i.map is not None} | {builder.canvas}
    return Program(
        num_sub_steps=builder.num_sub_steps,
        canvas_width=builder.canvas_width,
        canvas=builder.canvas,
        maps=tuple(m for m in builder.maps if m in used),
        kv_caches=tuple(m for m in builder.kv_caches if m in used),
        inputs=builder.inputs,
        per_image=per_image,
        per_row=per_row,
        per_site=per_site,
        sub_steps=tuple(sub_steps),
        post_draw=post_draw,
        params=params,
        size=(builder.height, builder.width),
        s_curve=builder.s_curve,
        is_grid=builder.is_grid,
    )


def with_inputs(program: Program, tensors: Mapping[str, Tensor], canvas_values: Tensor | None = None) -> Program:
    """Return the program as if recorded with these tensors for some of its inputs, by key, and these canvas values."""
    inputs = dict(program.inputs)
    for key, t in tensors.items():
        inputs[key] = replace(inputs[key], default=_to_channels_last(t, program.dtype))
    if canvas_values is None:
        return replace(program, inputs=inputs)
    return replace(program, inputs=inputs, canvas_values=to_numpy(canvas_values).astype(program.dtype))


def _to_channels_last(t: Tensor, dtype: np.dtype[Any]) -> FloatArray:
    """Return `[n, d]` of a vector, `[n, height, width, d]` of a map."""
    array: FloatArray = to_numpy(t).astype(dtype)
    return array[:, :, 0, 0] if array.shape[2:] == (1, 1) else np.ascontiguousarray(array.transpose(0, 2, 3, 1))


def prove_independent(program: Program) -> None:
    """Prove that each site reads no site but itself.

    Raises:
        CausalityError: naming what reads another one.
    """
    for i in (i for _, part in program.parts() for i in part):
        if i.opcode in _REACHES and (i.opcode != "GATHER" or any(tap != (0, 0) for tap in i.taps)):
            raise CausalityError(
                f"`{i.key or i.scope}` {_REACHES[i.opcode]}, but the pixels of its stage are declared independent: "
                "read other pixels through the condition of the stage, or leave out `independent=True`."
            )
