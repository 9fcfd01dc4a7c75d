"""Each opcode against plain torch, in the row part and in the pixel part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.engine.opcodes import OPCODES
from pointillist.nn import Tokens
from pointillist.nn.functional.convolution import rms_norm
from pointillist.nn.functional.local_gain import place
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.local import LocalGain
from tests.engine.teacher import check_equal

SIZE = (4, 5)
torch.manual_seed(0)
STRICT = torch.randn(6, 1, 1, 3, dtype=torch.float64) * 2
ABOVE = torch.randn(6, 1, 2, 3, dtype=torch.float64) * 2
PAIR = torch.randn(6, 6, 1, 2, dtype=torch.float64)
QUARTERS = torch.randn(24, 6, 2, 2, dtype=torch.float64)
POINT = nn.Conv2d(6, 6, 1, dtype=torch.float64)
CHANNEL = torch.randn(1, 6, 1, 1, dtype=torch.float64)
VECTOR = torch.randn(2, 6, 1, 1, dtype=torch.float64)
CELL = LSTMCellParams("diagonals", *(torch.randn(*shape, dtype=torch.float64) for shape in ((2, 2, 8), (2,), (2,))))
GATES = nn.Conv2d(6, 8, 1, dtype=torch.float64)
SPATIAL = torch.randn(2, 6, *SIZE, dtype=torch.float64)

TOKENS = (
    Tokens(
        torch.randn(2, 5, 4, dtype=torch.float64),
        torch.tensor([[True, False, True, True, False], [True, False, False, False, False]]),
    ),
    nn.Linear(4, 6, bias=False).double(),
    nn.Linear(4, 9).double(),
)


GAIN = LocalGain(channels=1, levels=64)


def pixel(x: Tensor, ctx: Any) -> Tensor:
    """A value known site by site."""
    return F.conv2d(ctx.window("pixel", x, up=0, left=3, right=-1), STRICT)


def row(x: Tensor, ctx: Any) -> Tensor:
    """A value known row by row."""
    return F.conv2d(ctx.window("row", x, up=2, down=-1, left=1, right=1), ABOVE)


ON_A_VALUE: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "TANH": lambda h, ctx: torch.tanh(h),
    "SIGMOID": lambda h, ctx: torch.sigmoid(h),
    "RELU": lambda h, ctx: F.relu(h),
    "ELU": lambda h, ctx: F.elu(h),
    "GELU": lambda h, ctx: F.gelu(h, approximate="tanh"),
    "GATE": lambda h, ctx: torch.tanh(h[:, :3]) * torch.sigmoid(h[:, 3:]),
    "ADD": lambda h, ctx: torch.relu(h) + torch.tanh(h),
    "MULTIPLY": lambda h, ctx: h * torch.tanh(h),
    "OFFSET": lambda h, ctx: torch.relu(h) + CHANNEL - 2.0,
    "RMS_NORM": lambda h, ctx: rms_norm(h),
    "SCALE": lambda h, ctx: -(h * CHANNEL) / 3.0,
    "COPY": lambda h, ctx: torch.cat([h, torch.tanh(h[:, 1:3])], 1),
    "LINEAR": lambda h, ctx: POINT(torch.tanh(h)),
    "GATHER": lambda h, ctx: F.conv2d(ctx.window("gather", h, up=0, left=1, right=0), PAIR),
    "STORE": lambda h, ctx: F.conv2d(ctx.window("a", h[:, :3], up=0, left=2, right=0), PAIR[:, :3], dilation=(1, 2)),
    "INPUT": lambda h, ctx: h * ctx.external("vector", VECTOR) + torch.tanh(ctx.external("map", SPATIAL)),
    "SHIFT_DOWN": lambda h, ctx: h + ctx.shift_down("above", lambda h: (1 + torch.tanh(h),), h)[0],
    "SCAN": lambda h, ctx: ctx.shift_down("above", lambda h: (ctx.recur("a", CELL, GATES(h), reverse=True),), h)[0],
    "ATTEND": lambda h, ctx: ctx.attend("attend", h, lambda h: (h, torch.tanh(h)), (torch.relu(h),), 2),
    "STORE_KV": lambda h, ctx: ctx.attend("attend", h, lambda h: (h, h[:, :3]), (h,), 3),
    "CROSS_ATTEND": lambda h, ctx: ctx.cross_attend("cross", h, *TOKENS, 3),
    "UPSAMPLE": lambda h, ctx: ctx.upsample(
        "b", F.conv2d(ctx.window("a", h, up=1, left=1, right=0), QUARTERS, stride=2), h
    ),
    "CONSTANT": lambda h, ctx: (
        h + F.conv2d(ctx.window("a", h, up=0, left=1, right=0), 0 * PAIR, torch.ones(6).double())
    ),
}
ON_THE_CANVAS: dict[str, Callable[[Tensor, Tensor, Any], Tensor]] = {
    "PREDICT": lambda h, x, ctx: h[:, :2] * GAIN.predict("near", x, ctx),
    "NORMALISE": lambda h, x, ctx: h[:, :4] + GAIN.normalise("near", x, ctx, ((-1, 0), (0, -1))),
    "PLACE": lambda h, x, ctx: place(torch.tanh(h), GAIN.predict("near", x, ctx), GAIN.levels),
}


def test_every_opcode_has_a_case() -> None:
    cases = ON_A_VALUE.keys() | ON_THE_CANVAS.keys()
    assert cases == {name for name, opcode in OPCODES.items() if opcode.has_floats}


@pytest.mark.parametrize("start", [row, pixel])
@pytest.mark.parametrize("name", sorted([*ON_A_VALUE, *ON_THE_CANVAS]))
def test_opcode(name: str, start: Callable[[Tensor, Any], Tensor]) -> None:
    canvas = torch.randn(2, 1, *SIZE, dtype=torch.float64)

    def forward(x: Tensor, ctx: Any) -> Tensor:
        value = start(x, ctx)
        return ON_A_VALUE[name](value, ctx) if name in ON_A_VALUE else ON_THE_CANVAS[name](value, x, ctx)

    program = check_equal(forward, canvas)
    listed = {instruction.opcode for _, part in program.parts() for instruction in part}
    assert name in listed


def test_row_and_pixel_values_combine() -> None:
    canvas = torch.randn(3, 1, *SIZE, dtype=torch.float64)
    check_equal(lambda x, ctx: torch.cat([row(x, ctx), row2(x, ctx) - 1.5 * pixel(x, ctx)], 1), canvas)


def row2(x: Tensor, ctx: Any) -> Tensor:
    """A second value known row by row, under its own key."""
    return F.conv2d(ctx.window("row 2", x, up=1, down=-1, left=0, right=0), ABOVE[:, :, :1, :1])


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "methods": lambda h: h.tanh().sigmoid().relu(),
    "modules": nn.Sequential(nn.Tanh(), nn.Dropout(0.5), nn.ELU(), nn.Identity()).eval(),
    "chunk": lambda h: h.chunk(4, 1)[2],
    "split": lambda h: torch.split(h, [1, 2, 3], dim=1)[1],
    "even split": lambda h: h.split(4, dim=1)[1],  # type: ignore[no-untyped-call]
    "narrow": lambda h: h.narrow(1, 2, 3),
    "ellipsis": lambda h: h[:, 2:, ...],
    "number minus value": lambda h: 1 - h,
    "parameter minus value": lambda h: CHANNEL - torch.relu(h),
    "alpha": lambda h: torch.add(torch.relu(h), torch.tanh(h), alpha=2) + torch.sub(h, 1.0, alpha=3),
    "absent terms": lambda h: (h + 0.0) * 1.0,
    "contiguous": lambda h: torch.relu(h).contiguous(),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_torch_function(name: str) -> None:
    canvas = torch.randn(2, 1, *SIZE, dtype=torch.float64)
    check_equal(lambda x, ctx: FUNCTIONS[name](pixel(x, ctx)), canvas)
