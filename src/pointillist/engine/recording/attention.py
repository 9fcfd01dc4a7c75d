"""Check the operands of attention, and read the canvas after the draw."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.engine.program import ConditionInput, Instruction, Phase, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.convolution import to_numpy
from pointillist.engine.recording.symbols import Canvas, Symbol, symbol_of
from pointillist.nn.functional.attention import Tokens


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
