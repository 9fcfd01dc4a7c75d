"""Coarse grids: strided windows, the way back, nested grids, odd sides, and rejected uses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine.disassembly import describe, flops, weight_bytes
from pointillist.engine.recording.record import record
from pointillist.errors import CausalityError
from pointillist.nn.passes import FullPass
from tests.engine.teacher import check_equal
from tests.equality import equal

SIZES = [(1, 1), (1, 7), (6, 1), (2, 2), (3, 5), (4, 4), (5, 6), (7, 9)]
torch.manual_seed(0)


def random(*shape: int) -> Tensor:
    """A weight."""
    return torch.randn(*shape, dtype=torch.float64) / 2


STRICT, ABOVE = random(4, 1, 2, 2), random(4, 1, 2, 3)
DOWN, RIGHT = [random(4, 4, 2, 3) for _ in range(4)], [random(4, 4, 2, 2) for _ in range(4)]
SPREAD_DOWN, SPREAD = [random(16, 4, 1, 2) for _ in range(2)], [random(16, 4, 1, 1) for _ in range(2)]
LINK, BIAS = random(4, 4, 1, 1), random(4)


def two_streams(x: Tensor, ctx: Any, levels: int, vector: Tensor, spatial: Tensor) -> Tensor:
    """Down to every `2**levels`-th site and back, with shortcuts, a vector at each grid and a map."""
    down = F.conv2d(ctx.window("above", x, up=2, down=-1, left=1, right=1), ABOVE)
    own = F.conv2d(ctx.window("own", x, up=1, left=2, right=-1), STRICT) + F.conv2d(down, LINK)
    kept = []
    for i in range(levels):
        kept.append((down, own))
        down = F.conv2d(ctx.window(f"d{i}", torch.tanh(down), up=1, left=1, right=1), DOWN[i], BIAS, stride=2)
        own = F.conv2d(ctx.window(f"r{i}", torch.tanh(own), up=1, left=1, right=0), RIGHT[i], BIAS, stride=2)
        own = own + F.conv2d(down, LINK) + ctx.external(f"v{i}", vector)
        at_sites = ctx.window(f"m{i}", ctx.external(f"s{i}", spatial), up=0, left=0, right=0)
        own = own + F.conv2d(at_sites, LINK, stride=2 ** (i + 1))
        own = own + F.conv2d(ctx.window(f"c{i}", torch.tanh(own), up=1, left=1, right=0), RIGHT[2 + i])
    for i in reversed(range(levels)):
        like_down, like = kept.pop()
        spread = F.conv2d(ctx.window(f"sd{i}", down, up=0, left=0, right=1), SPREAD_DOWN[i])
        down = ctx.upsample(f"fd{i}", spread, like_down)
        own = ctx.upsample(f"fr{i}", F.conv2d(torch.tanh(own), SPREAD[i]), like) + torch.tanh(like) + like_down
        own = own + F.conv2d(torch.tanh(down), LINK)
    return own


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_interpreter_equals_the_full_pass(height: int, width: int, levels: int) -> None:
    canvas, vector = torch.randn(2, 1, height, width).double(), random(2, 4, 1, 1)
    spatial = random(2, 4, height, width)
    program = check_equal(lambda x, ctx: two_streams(x, ctx, levels, vector, spatial), canvas)
    assert program.period == 2**levels


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_finer_interleaves_the_quarters(height: int, width: int) -> None:
    like = torch.zeros(1, 3, height, width)
    coarse = torch.arange(4 * 2 * -(-height // 2) * -(-width // 2)).float()
    coarse = coarse.reshape(1, 8, -(-height // 2), -(-width // 2))
    fine = FullPass().upsample("f", coarse, like)
    assert fine.shape == (1, 2, height, width)
    for row in range(height):
        for column in range(width):
            quarter = row % 2 * 2 + column % 2
            expected = coarse[0, 2 * quarter : 2 * quarter + 2, row // 2, column // 2]
            assert equal(fine[0, :, row, column], expected)


def test_coarse_instructions_cost_their_share() -> None:
    """A strided convolution runs at a quarter of the sites, and the listing says so."""
    program = record(
        lambda x, ctx: two_streams(x, ctx, 1, random(1, 4, 1, 1), random(1, 4, 8, 8)),
        num_sub_steps=1,
        canvas_width=1,
        height=8,
        width=8,
        dtype=torch.float64,
    )
    assert {i.scale for _, part in program.parts() for i in part} == {1, 2}
    (coarse,) = [
        i for i in program.per_site if i.opcode == "LINEAR" and i.scale == 2 and i.constants["matrix"].shape == (8, 4)
    ][:1]
    assert flops([coarse]) == (2 * 8 * 4 + 4) // 4
    assert weight_bytes(program, [coarse]) == 8 * 8 * 4 // 4
    assert "bytes of weights a site" in describe(program)


def rejected(faulty: Any, message: str) -> None:
    """Recording ends in a sentence."""

    def forward(x: Tensor, ctx: Any) -> Tensor:
        h = F.conv2d(ctx.window("first", x, up=0, left=1, right=-1), random(4, 1, 1, 1))
        coarse = F.conv2d(ctx.window("second", h, up=1, left=1, right=0), RIGHT[0], stride=2)
        out: Tensor = faulty(h, coarse, x, ctx)
        return out

    with pytest.raises(CausalityError, match=f"(?s){message}"):
        record(forward, num_sub_steps=1, canvas_width=1, height=1, width=1, dtype=torch.float64)


def test_grids_do_not_mix() -> None:
    """Also where both have one site, so that shapes cannot tell them apart."""
    rejected(lambda h, c, x, ctx: h + c, "grids of every 1 and of every 2.*ctx.upsample")
    rejected(lambda h, c, x, ctx: torch.cat([h, c], 1), "grids of every 1 and of every 2.*ctx.upsample")
    rejected(lambda h, c, x, ctx: ctx.upsample("f", h, c), "`f` does not go from a grid.*stride 2")
    rejected(lambda h, c, x, ctx: ctx.upsample("f", c[:, :3], h), "3 channels are spread at `f`")
    rejected(lambda h, c, x, ctx: ctx.upsample("f", x, h), "`f` with other than recorded values")
    rejected(lambda h, c, x, ctx: ctx.upsample("second", c, h), "`second` is used twice")
    rejected(
        lambda h, c, x, ctx: F.conv2d(ctx.window("f", h, up=0, left=0, right=1), random(4, 4, 1, 2), stride=2),
        r"`f` reads an unknown site: tap \(0, 1\)",
    )
    rejected(
        lambda h, c, x, ctx: F.conv2d(ctx.window("f", c, up=0, left=0, right=1), random(4, 4, 1, 2)),
        r"`f` reads an unknown site: tap \(0, 1\)",
    )
    rejected(
        lambda h, c, x, ctx: F.conv2d(ctx.window("f", h, up=0, left=0, right=0), LINK, stride=(1, 2)), "stride=\\(1, 2"
    )
