"""Faulty networks: each is rejected while recording, by an error that names the scope and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.engine.recording.record import record
from pointillist.errors import CausalityError
from pointillist.nn.functional.recurrence import LSTMCellParams
from tests.engine.networks import Gated, Masked

Fault = Callable[[Tensor, Tensor, Any], Any]
FIRST = torch.randn(4, 1, 1, 2)
FEATURE = torch.randn(4, 4, 2, 3)
CELL = LSTMCellParams("diagonals", torch.randn(2, 1, 4), torch.zeros(1), torch.zeros(1))


def feature(x: Tensor, ctx: Any) -> Tensor:
    """A sound first layer."""
    return F.conv2d(ctx.window("first", x, up=0, left=2, right=-1), FIRST)


def over(h: Tensor, ctx: Any, key: str = "second", **reach: int) -> Tensor:
    """A convolution of everything in a window."""
    rows, columns = reach["up"] + reach.get("down", 0) + 1, reach["left"] + reach["right"] + 1
    return F.conv2d(ctx.window(key, h, **reach), torch.ones(4, h.shape[1], rows, columns))


def branch(h: Tensor) -> Tensor:
    """A forward that branches on a value."""
    return h if h.abs().max() > 0 else -h


def smuggled(h: Tensor, x: Tensor, ctx: Any) -> Tensor:
    """A key that is used at its own site."""
    kept: list[Tensor] = []

    def keys(x: Tensor) -> tuple[Tensor, Tensor]:
        kept.append(F.conv2d(x, torch.ones(4, 1, 1, 1)))
        return kept[0], kept[0]

    return ctx.attend("attend", h, keys, (x,), 1) + kept[0]


def asked_late(h: Tensor, x: Tensor, ctx: Any) -> Tensor:
    """A query made of what is known only after the draw."""
    kept: list[Tensor] = []

    def keys(x: Tensor) -> tuple[Tensor, Tensor]:
        kept.append(F.conv2d(x, torch.ones(4, 1, 1, 1)))
        return kept[0], kept[0]

    ctx.attend("attend", h, keys, (x,), 1)
    return ctx.attend("again", kept[0], lambda h: (h, h), (h,), 1)


def attend(h: Tensor, ctx: Any, *z: Tensor, keys: Any = lambda t: (t, t), heads: int = 1) -> Tensor:
    """An attention."""
    return ctx.attend("attend", h, keys, z, heads)


def not_moved(h: Tensor, ctx: Any, outer: Tensor) -> Tensor:
    """A function that returns a value that is not among its inputs."""
    return ctx.shift_down("above", lambda h: (outer,), h)[0]


def coarse(h: Tensor, ctx: Any) -> Tensor:
    """A value at every second row and column."""
    return F.conv2d(ctx.window("coarse", h, up=0, left=0, right=0), FEATURE[:, :, :1, :1], stride=2)


def assign(h: Tensor) -> Tensor:
    """A forward that overwrites a part of a value."""
    h[:, :1] = 0.0
    return h


FAULTS: dict[str, tuple[Fault, str]] = {
    "tap below": (lambda h, x, ctx: over(h, ctx, up=0, down=1, left=0, right=0), r"`second`.*\(1, 0\)"),
    "tap to the right": (lambda h, x, ctx: over(h, ctx, up=1, left=1, right=1), r"`second`.*\(0, 1\).*right=0"),
    "canvas to the right": (lambda h, x, ctx: over(x, ctx, up=1, left=1, right=1), r"`second`.*\(0, 1\)"),
    "own pixel": (lambda h, x, ctx: over(x, ctx, up=0, left=1, right=0), r"`second`.*its own site.*right=-1"),
    "rows of this row": (lambda h, x, ctx: ctx.rows("above", lambda h: (torch.tanh(h),), h)[0], "`above`.*down=-1"),
    "rows without a tuple": (lambda h, x, ctx: ctx.rows("above", torch.tanh, h)[0], "`above`.*tuple"),
    "key twice": (lambda h, x, ctx: over(h, ctx, "first", up=0, left=1, right=0), "`first` is used twice.*own key"),
    "input twice": (lambda h, x, ctx: list(map(ctx.external, "cc", [torch.ones(1, 4, 1, 1)] * 2)), "`c` is used twice"),
    "input of a wrong size": (lambda h, x, ctx: ctx.external("c", torch.ones(1, 4, 9, 9)), r"`c`.*\[b d 4 5\]"),
    "input from a value": (lambda h, x, ctx: ctx.external("c", h), "`c` is a recorded value"),
    "window of a vector": (
        lambda h, x, ctx: over(ctx.external("c", torch.ones(1, 4, 1, 1)), ctx, up=0, left=1, right=0),
        "`second`.*1x1",
    ),
    "window of nothing": (lambda h, x, ctx: over(h, ctx, up=0, left=0, right=-1), "`second`.*1x0"),
    "window of a tensor": (lambda h, x, ctx: over(torch.ones(1, 4, 4, 5), ctx, up=0, left=1, right=0), "`second`"),
    "branch on a value": (lambda h, x, ctx: branch(h), "`abs`.*`first`"),
    "truth of a value": (lambda h, x, ctx: h if h else -h, "`__bool__`.*`first`.*branch"),
    "item": (lambda h, x, ctx: h.item(), "`item`.*`first`.*copy them out"),
    "mean": (lambda h, x, ctx: h - h.mean(), "`mean`.*`first`.*ctx.window"),
    "flip": (lambda h, x, ctx: torch.flip(h, [3]), "`flip`.*`first`.*ctx.window"),
    "pad": (lambda h, x, ctx: F.pad(h, (1, 0)), "`pad`.*`first`.*ctx.window"),
    "softmax": (lambda h, x, ctx: torch.softmax(h, 1), "`softmax`.*`first`"),
    "numpy": (lambda h, x, ctx: np.tanh(h), "`__array__`.*`first`.*copy them out"),
    "unknown function": (lambda h, x, ctx: torch.erfinv(h), "`erfinv`.*`first`.*opcode"),
    "group norm": (lambda h, x, ctx: nn.GroupNorm(1, 4)(h), "`group_norm`.*`first`"),
    "pick a site": (lambda h, x, ctx: h[:, :, 0], "index.*`first`.*channels"),
    "strided channels": (lambda h, x, ctx: h[:, ::2], "strided.*`first`"),
    "cut rows": (lambda h, x, ctx: h.chunk(2, 2)[0], "dim=2.*`first`.*dim=1"),
    "in place": (lambda h, x, ctx: h.mul_(2), "`mul_`.*`first`.*in place"),
    "in place sum": (lambda h, x, ctx: h.__iadd__(h), "`add_`.*`first`.*in place"),
    "in place relu": (lambda h, x, ctx: F.relu(h, inplace=True), "inplace=True.*`first`"),
    "assignment": (lambda h, x, ctx: assign(h), "`__setitem__`.*`first`.*in place"),
    "k x k of a value": (lambda h, x, ctx: F.conv2d(h, FEATURE), "2x3.*`first`.*ctx.window"),
    "padded": (lambda h, x, ctx: F.conv2d(h, FEATURE, padding=1), "padding=1.*`first`.*ctx.window"),
    "same padding": (lambda h, x, ctx: F.conv2d(h, FEATURE, padding="same"), "padding=same.*`first`"),
    "strided": (lambda h, x, ctx: F.conv2d(h, FEATURE[:, :, :1, :1], stride=2), "stride=2.*`first`"),
    "grouped": (lambda h, x, ctx: F.conv2d(h, FEATURE[:, :2, :1, :1], groups=2), "groups=2.*`first`"),
    "kernel of another size": (
        lambda h, x, ctx: F.conv2d(ctx.window("second", h, up=1, left=1, right=0), FEATURE),
        "2x3.*`second` of 2x2.*fit",
    ),
    "relu of a window": (
        lambda h, x, ctx: torch.relu(ctx.window("second", h, up=1, left=1, right=0)),
        "`relu`.*`second`.*before the window",
    ),
    "canvas scaled": (lambda h, x, ctx: h + (2 * x - 1), "canvas.*ctx.window.*`first`"),
    "canvas joined": (lambda h, x, ctx: torch.cat([h, x], 1), "`cat`.*canvas.*ctx.window"),
    "dropout": (lambda h, x, ctx: nn.Dropout(0.5)(h), "Dropout is in training mode.*`first`.*eval"),
    "batch norm": (lambda h, x, ctx: F.batch_norm(h, None, None, training=True), "Batch norm.*`first`"),
    "channels differ": (lambda h, x, ctx: h + h[:, :1], "4 and of 1 channels.*`first`"),
    "weights of other channels": (lambda h, x, ctx: F.conv2d(h, torch.ones(4, 3, 1, 1)), "3 input channels.*`first`"),
    "parameter of other channels": (lambda h, x, ctx: h * torch.ones(1, 3, 1, 1), "3 channels.*`first`"),
    "spatial parameter": (lambda h, x, ctx: h + torch.ones(1, 4, 4, 5), "ctx.external"),
    "batch of conditions": (lambda h, x, ctx: h + torch.ones(2, 4, 1, 1), "ctx.external"),
    "tensor joined": (lambda h, x, ctx: torch.cat([h, torch.ones(1, 4, 4, 5)], 1), "ctx.external"),
    "vector joined": (
        lambda h, x, ctx: torch.cat([h, ctx.external("c", torch.ones(1, 4, 1, 1))], 1),
        "vector is joined.*`c`.*1x1",
    ),
    "exact gelu": (lambda h, x, ctx: F.gelu(h), "gelu.*`first`.*tanh"),
    "elu alpha": (lambda h, x, ctx: F.elu(h, 0.5), "alpha=0.5.*`first`"),
    "division": (lambda h, x, ctx: h / h, "division.*`first`"),
    "recorded weight": (lambda h, x, ctx: F.conv2d(h, h), "weight.*`first`"),
    "heads that do not divide": (lambda h, x, ctx: attend(h, ctx, h, heads=3), "4 channels meet 3 heads in `attend`"),
    "keys of another size": (lambda h, x, ctx: attend(h, ctx, h[:, :2]), "of 4 and keys of 2.*`attend`"),
    "keys of a tensor": (lambda h, x, ctx: attend(h, ctx, torch.ones(1, 4, 4, 5)), "`attend` makes keys from a Tensor"),
    "keys that are a tensor": (
        lambda h, x, ctx: attend(h, ctx, h, keys=lambda h: (h, FIRST)),
        "`attend` is given a Tensor",
    ),
    "queries of the canvas": (lambda h, x, ctx: attend(x, ctx, h), "`attend` is given a Canvas"),
    "a key at its own site": (smuggled, "known only after its draw.*`attend`.*ctx.attend"),
    "a query after the draw": (asked_late, "queries of `again` are known only after the draw"),
    "a window of keys": (
        lambda h, x, ctx: attend(h, ctx, x, keys=lambda x: (over(x, ctx, up=0, left=1, right=0), x)),
        "`second`.*only after the draw.*stays at the site",
    ),
    "a row that is not moved": (
        lambda h, x, ctx: not_moved(h, ctx, over(h, ctx, up=1, down=-1, left=1, right=1)),
        "`above` is a value of another row",
    ),
    "attention in the row above": (
        lambda h, x, ctx: ctx.shift_down("above", lambda h: (attend(h, ctx, h),), h)[0],
        "`attend` runs inside `ctx.shift_down`",
    ),
    "recurrence on a coarse grid": (lambda h, x, ctx: ctx.recur("again", CELL, coarse(h, ctx)), "`again`.*coarse grid"),
    "attention on a coarse grid": (lambda h, x, ctx: attend(coarse(h, ctx), ctx, h), "`attend`.*coarse grid"),
    "attention to a coarse grid": (lambda h, x, ctx: attend(h, ctx, coarse(h, ctx)), "`attend`.*coarse grid"),
    "the coarse row above": (
        lambda h, x, ctx: ctx.shift_down("above", lambda h: (h,), coarse(h, ctx))[0],
        "`above`.*coarse grid",
    ),
    "a coarse grid of the row above": (
        lambda h, x, ctx: ctx.shift_down("above", lambda h: (ctx.upsample("fine", coarse(h, ctx), h),), h)[0],
        "coarse grid is used inside `ctx.shift_down`",
    ),
    "unknown primitive": (lambda h, x, ctx: ctx.teleport("key", h), "ctx.teleport"),
    "no result": (lambda h, x, ctx: None, "forward returned"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_refused(name: str) -> None:
    fault, message = FAULTS[name]
    with pytest.raises(CausalityError, match=f"(?s){message}"):
        record(lambda x, ctx: fault(feature(x, ctx), x, ctx), num_sub_steps=1, canvas_width=1, height=4, width=5)


@pytest.mark.parametrize("layer", ["first", "layers.1"])
def test_wrong_channel_mask_names_the_sub_pixels_and_the_layer(layer: str) -> None:
    model = Masked(num_sub_steps=3)
    sound = model.masked

    def faulty(conv: nn.Conv2d, *, strict: bool) -> Tensor:
        weight = sound(conv, strict=strict)
        if conv is (model.first if layer == "first" else model.layers[1]):
            weight[0, -4 if layer != "first" else 1, -1, weight.shape[3] // 2] = 1.0  # group 0 reads group 1
        return weight

    model.masked = faulty  # type: ignore[method-assign]
    with pytest.raises(CausalityError, match=f"(?s)sub-pixel 0 depend on sub-pixel [01].*`{layer}`.*channel mask"):
        record(model, num_sub_steps=3, canvas_width=1, height=3, width=3)


def test_wrong_mask_of_the_head() -> None:
    model = Gated(num_sub_steps=2)
    model.mask2[:] = 1.0
    with pytest.raises(CausalityError, match=r"sub-pixel 0 depend on sub-pixel 0 .*`0\.horizontal`"):
        record(model, num_sub_steps=2, canvas_width=1, height=3, width=3)


def test_parameters_must_divide_among_sub_steps() -> None:
    with pytest.raises(CausalityError, match="4 parameters for 3 sub-steps"):
        record(
            lambda x, ctx: F.conv2d(ctx.window("a", x, up=0, left=1, right=-1), torch.ones(4, 3, 1, 1)),
            num_sub_steps=3,
            canvas_width=1,
            height=2,
            width=2,
        )


def test_masked_taps_are_no_fault() -> None:
    """A tap on the future whose weights are zero is dropped, as the masked kernels of PixelCNN need."""
    weight = torch.ones(4, 4, 2, 3)
    weight[:, :, 1, 2] = 0
    program = record(
        lambda x, ctx: F.conv2d(ctx.window("second", feature(x, ctx), up=1, left=1, right=1), weight),
        num_sub_steps=1,
        canvas_width=1,
        height=4,
        width=5,
    )
    taps = {tap for _, part in program.parts() for i in part if i.key == "second" for tap in i.taps}
    assert taps == {(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)}
