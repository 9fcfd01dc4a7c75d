"""Recurrences and `shift_down` in the engine: equal to the full pass, computed early, rejected if unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine import Program
from pointillist.engine.recording.record import record
from pointillist.errors import CausalityError
from pointillist.nn.functional.recurrence import LSTMCellParams
from tests.engine.teacher import check_equal

SIZES = [(4, 5), (1, 1), (1, 4), (4, 1), (3, 2)]
KINDS: list[Literal["rows", "diagonals"]] = ["rows", "diagonals"]


def numbers(*shape: int) -> Tensor:
    """Reproducible weights."""
    generator = torch.Generator().manual_seed(sum(shape) + len(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cell(along: Literal["rows", "diagonals"]) -> LSTMCellParams:
    """Two features, an initial state, three or two taps."""
    return LSTMCellParams(along, numbers(3 if along == "rows" else 2, 2, 8), numbers(2), numbers(2) + 1)


def pixel(x: Tensor, ctx: Any) -> Tensor:
    """Gates known site by site."""
    return F.conv2d(ctx.window("pixel", x, up=0, left=3, right=-1), numbers(8, 1, 1, 3), numbers(8))


def row(x: Tensor, ctx: Any) -> Tensor:
    """Gates known row by row."""
    return F.conv2d(ctx.window("row", x, up=2, down=-1, left=1, right=1), numbers(8, 1, 2, 3))


def kernel(h: Tensor, key: str, ctx: Any, outputs: int) -> Tensor:
    """A 2x3 convolution with a bias, right of the site too."""
    channels = h.shape[1]
    window = ctx.window(key, h, up=1, left=1, right=1)
    return F.conv2d(window, numbers(outputs, channels, 2, 3), numbers(outputs))


def conditioned(h: Tensor, x: Tensor, ctx: Any) -> Tensor:
    """With a vector and a map of conditions."""
    return h + ctx.external("v", numbers(1, 8, 1, 1)) * ctx.external("m", numbers(1, 8, *x.shape[2:]))


Forward = Callable[[Tensor, Tensor, Any], Tensor]


def recurrent(along: Literal["rows", "diagonals"], *, reverse: bool) -> dict[str, Forward]:
    """Recurrences over a finished row, in company."""

    def recur(h: Tensor, ctx: Any) -> Tensor:
        out: Tensor = ctx.recur("recur", cell(along), h, reverse=reverse)
        return out

    return {
        "alone": lambda h, x, ctx: ctx.shift_down("above", lambda h: (recur(h, ctx),), h)[0],
        "conditioned": lambda h, x, ctx: ctx.shift_down("above", lambda h: (recur(conditioned(h, x, ctx), ctx),), h)[0],
        "with the canvas": lambda h, x, ctx: ctx.shift_down(
            "above", lambda h, x: (recur(h + kernel(x, "canvas", ctx, 8), ctx),), h, x
        )[0],
        "between kernels": lambda h, x, ctx: ctx.shift_down(
            "above", lambda h: (kernel(recur(kernel(h, "first", ctx, 8), ctx), "last", ctx, 3),), h
        )[0],
        "two rows above": lambda h, x, ctx: ctx.shift_down(
            "outer", lambda h: ctx.shift_down("inner", lambda h: (recur(h, ctx) + 0.5,), h + 1), h
        )[0],
    }


@pytest.mark.one_in(4)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("start", [pixel, row])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("along", KINDS)
def test_finished_rows(along: Any, reverse: bool, start: Any, size: tuple[int, int]) -> None:
    for forward in recurrent(along, reverse=reverse).values():
        check_equal(lambda x, ctx, f=forward: f(start(x, ctx), x, ctx), numbers(2, 1, *size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("along", "reverse"), [("rows", False), ("rows", True), ("diagonals", False)])
@pytest.mark.parametrize("start", [pixel, row])
def test_site_by_site(start: Any, along: Any, reverse: bool, size: tuple[int, int]) -> None:
    check_equal(lambda x, ctx: ctx.recur("a", cell(along), start(x, ctx), reverse=reverse), numbers(2, 1, *size))


def test_below_is_zero_at_the_first_row_whatever_the_function_is_there() -> None:
    program = check_equal(
        lambda x, ctx: ctx.shift_down("b", lambda h: (torch.tanh(h) + 1, h), pixel(x, ctx))[0], numbers(2, 1, 3, 4)
    )
    assert Counter(i.opcode for i in program.per_row)["SHIFT_DOWN"] == 1  # nobody reads the other result


def recorded(forward: Callable[[Tensor, Any], Tensor]) -> Program:
    return record(forward, num_sub_steps=1, canvas_width=1, height=4, width=5, dtype=torch.float64)


def test_the_row_above_is_read_a_row_at_a_time() -> None:
    """One cell a site: what remains is the input and the site beside."""
    rows = recorded(lambda x, ctx: ctx.recur("a", cell("rows"), pixel(x, ctx)))
    assert Counter(i.opcode for i in rows.per_row)["LINEAR"] == 1  # three taps in one product
    assert Counter(i.opcode for i in rows.per_site)["LINEAR"] == 1
    diagonals = recorded(lambda x, ctx: ctx.recur("a", cell("diagonals"), pixel(x, ctx)))
    assert Counter(i.opcode for i in diagonals.per_row)["LINEAR"] == 1
    assert Counter(i.opcode for i in diagonals.per_site)["LINEAR"] == 2
    assert not Counter(i.opcode for i in diagonals.per_site)["OFFSET"]


def test_a_finished_row_is_scanned_at_once() -> None:
    """Nothing of the right-to-left map is left to do at a site."""
    program = recorded(recurrent_alone)
    assert Counter(i.opcode for i in program.per_row)["SCAN"] == 1
    assert {i.opcode for i in program.per_site} == {"GATHER", "LINEAR", "STORE"}


def recurrent_alone(x: Tensor, ctx: Any) -> Tensor:
    """Right to left over the row above."""
    return recurrent("diagonals", reverse=True)["alone"](pixel(x, ctx), x, ctx)


REJECTED: dict[str, tuple[Forward, str]] = {
    "right to left in the row being drawn": (
        lambda h, x, ctx: ctx.recur("a", cell("diagonals"), h, reverse=True),
        "`a` runs from right to left.*ctx.shift_down",
    ),
    "other channels": (lambda h, x, ctx: ctx.recur("a", cell("rows"), h[:, :4]), "`a` gets 4 channels.*8"),
    "a vector": (lambda h, x, ctx: ctx.recur("a", cell("rows"), ctx.external("v", numbers(1, 8, 1, 1))), "`a`.*map"),
    "the canvas": (lambda h, x, ctx: ctx.recur("a", cell("rows"), x), "`a` runs over a Canvas"),
    "key twice": (
        lambda h, x, ctx: ctx.recur("a", cell("rows"), h) + ctx.recur("a", cell("rows"), h),
        "`a` is used twice",
    ),
    "captured": (lambda h, x, ctx: ctx.shift_down("b", lambda y: (y + h,), h)[0], "another row.*`b`.*input"),
    "captured and joined": (
        lambda h, x, ctx: ctx.shift_down("b", lambda y: (torch.cat([y, h], 1),), h)[0],
        "another row",
    ),
    "captured and kept": (
        lambda h, x, ctx: ctx.shift_down("b", lambda y: (kernel(h, "k", ctx, 2),), h)[0],
        "another row",
    ),
    "carried out": (lambda h, x, ctx: carried_out(h, ctx), "another row"),
    "no tuple": (lambda h, x, ctx: ctx.shift_down("b", torch.tanh, h)[0], "`b` returns no tuple"),
    "a tensor in": (
        lambda h, x, ctx: ctx.shift_down("b", lambda y: (y,), numbers(1, 1, 4, 5))[0],
        "`b` is given a Tensor",
    ),
    "a tensor out": (lambda h, x, ctx: ctx.shift_down("b", lambda y: (numbers(1, 1, 4, 5),), h)[0], "result.*`b`"),
    "the canvas of this row": (
        lambda h, x, ctx: ctx.shift_down(
            "b", lambda x: (F.conv2d(ctx.window("k", x, up=0, down=1, left=1, right=-1), numbers(1, 1, 2, 1)),), x
        )[0],
        "`b` is not a recorded value of the row above.*down=0",
    ),
}


def carried_out(h: Tensor, ctx: Any) -> Tensor:
    """A value of the row above that leaves without being moved down."""
    kept: list[Tensor] = []
    ctx.shift_down("b", lambda y: kept.append(torch.tanh(y)) or (y,), h)  # type: ignore[func-returns-value]
    return kept[0] + h


@pytest.mark.parametrize("name", REJECTED)
def test_refused(name: str) -> None:
    forward, message = REJECTED[name]
    with pytest.raises(CausalityError, match=f"(?s){message}"):
        recorded(lambda x, ctx: forward(pixel(x, ctx), x, ctx))
