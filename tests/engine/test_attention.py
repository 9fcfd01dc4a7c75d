"""Attention, recorded and replayed: keys hold the pixel itself, are made after its draw, and are never seen by it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pointillist.engine import Interpreter
from pointillist.engine.disassembly import describe
from pointillist.engine.recording.record import record
from pointillist.errors import CausalityError
from pointillist.nn import Tokens
from tests.engine.networks import allowed, groups
from tests.engine.teacher import check_equal, with_levels


class Attentive(nn.Module):
    """A strict convolution, then twice an attention whose keys hold the canvas; heads are grouped by sub-pixel."""

    def __init__(
        self, *, num_sub_steps: int = 1, canvas_width: int = 1, heads: int = 1, key: int = 3, value: int = 2
    ) -> None:
        super().__init__()
        self.num_sub_steps, self.heads = num_sub_steps, num_sub_steps * heads
        canvas, d = num_sub_steps * canvas_width, 4 * num_sub_steps
        self.first = nn.Conv2d(canvas, d, (2, 3))
        self.kv = nn.ModuleList(nn.Conv2d(canvas + d, self.heads * (key + value), 1) for _ in range(2))
        self.q = nn.ModuleList(nn.Conv2d(d, self.heads * key, 1) for _ in range(2))
        self.mix = nn.ModuleList(nn.Conv2d(self.heads * value, d, 1) for _ in range(2))
        self.sizes = [self.heads * key, self.heads * value]

    def masked(self, conv: nn.Conv2d, *, strict: bool = False) -> Tensor:
        """The weight times its mask of sub-pixels at the last tap of the kernel's middle column."""
        outputs, inputs = (groups(n, self.num_sub_steps) for n in conv.weight.shape[:2])
        mask = torch.ones_like(conv.weight)
        mask[:, :, -1, conv.weight.shape[3] // 2 + 1 :] = 0
        mask[:, :, -1, conv.weight.shape[3] // 2] = allowed(outputs, inputs, strict=strict)
        return conv.weight * mask

    def forward(self, x: Tensor, ctx: Any) -> Tensor:
        """Canvas to parameters."""
        window = ctx.window("first", x, up=1, left=1, right=1)
        h = F.conv2d(window, self.masked(self.first, strict=True), self.first.bias)
        for i, (kv, q, mix) in enumerate(zip(self.kv, self.q, self.mix, strict=True)):

            def keys(x: Tensor, h: Tensor, kv: nn.Module = kv) -> tuple[Tensor, Tensor]:
                k, v = kv(torch.cat([x, torch.tanh(h)], 1)).split(self.sizes, 1)
                return k, v

            query = F.conv2d(torch.tanh(h), self.masked(q), q.bias)  # type: ignore[arg-type]
            found = ctx.attend(f"attend.{i}", query, keys, (x, h), self.heads)
            h = h + F.conv2d(found, self.masked(mix), mix.bias)  # type: ignore[arg-type]
        return h


def picture(batch: int, channels: int, size: tuple[int, int]) -> Tensor:
    """A random canvas."""
    return torch.randn(batch, channels, *size, dtype=torch.float64)


def recorded(model: Attentive, height: int, width: int, canvas_width: int = 1) -> Any:
    """Its program in float64."""
    return record(
        model,
        num_sub_steps=model.num_sub_steps,
        canvas_width=canvas_width,
        height=height,
        width=width,
        dtype=torch.float64,
    )


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    batch=st.integers(1, 4),
    num_sub_steps=st.integers(1, 4),
    canvas_width=st.sampled_from([1, 3]),
    heads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_attention(
    size: tuple[int, int], batch: int, num_sub_steps: int, canvas_width: int, heads: int, seed: int
) -> None:
    torch.manual_seed(seed)
    model = Attentive(num_sub_steps=num_sub_steps, canvas_width=canvas_width, heads=heads).double().eval()
    check_equal(model, picture(batch, num_sub_steps * canvas_width, size), num_sub_steps=num_sub_steps)


@pytest.mark.parametrize("what", ["a vector", "a map", "rows above", "the row so far", "the pixel"])
def test_keys_of_every_level(what: str) -> None:
    """Known before the first site, a row at a time, or only after the draw."""
    torch.manual_seed(0)
    one, above = torch.randn(4, 1, 1, 1).double(), torch.randn(4, 1, 1, 3).double()

    def forward(x: Tensor, ctx: Any) -> Tensor:
        rows = F.conv2d(ctx.window("above", x, up=1, down=-1, left=1, right=1), above)
        left = F.conv2d(ctx.window("left", x, up=0, left=1, right=-1), one)
        keys = {
            "a vector": lambda: ctx.external("input", torch.linspace(-1, 1, 4).double().view(1, 4, 1, 1)),
            "a map": lambda: ctx.external("input", torch.linspace(-1, 1, 48).double().view(1, 4, 3, 4)),
            "rows above": lambda: rows,
            "the row so far": lambda: left,
            "the pixel": lambda: x,
        }[what]()
        if what == "the pixel":
            return left + ctx.attend("attend", left, lambda t: (F.conv2d(t, one), F.conv2d(t, -one)), (keys,), 2)
        return left + ctx.attend("attend", left, lambda t: (t, torch.tanh(t)), (keys,), 2)

    check_equal(forward, picture(2, 1, (3, 4)))


def test_queries_known_a_row_at_a_time() -> None:
    torch.manual_seed(0)
    above = torch.randn(4, 1, 1, 3).double()

    def forward(x: Tensor, ctx: Any) -> Tensor:
        rows = F.conv2d(ctx.window("above", x, up=1, down=-1, left=1, right=1), above)
        return ctx.attend("attend", rows, lambda x: (F.conv2d(x, above[:, :, :, :1]),) * 2, (x,), 1)

    check_equal(forward, picture(2, 1, (3, 4)))


def test_a_site_may_be_observed_without_being_asked_about() -> None:
    """A pixel that is known already is stored all the same."""
    torch.manual_seed(0)
    model, canvas = Attentive(num_sub_steps=2).double().eval(), picture(1, 2, (2, 3))
    program, levels = with_levels(recorded(model, 2, 3), canvas)
    computed, observed = Interpreter(program, 1), Interpreter(program, 1)
    for row, column, sub in np.ndindex(2, 3, 2):
        expected = computed.params()
        if (row, column, sub) == (1, 2, 1):
            assert (observed.params() == expected).all()
        for engine in (computed, observed):
            engine.observe(levels[:, sub, row, column])


def test_the_part_after_the_draw() -> None:
    """Keys of unread values are not computed; each site is stored once."""
    model = Attentive(num_sub_steps=3).double().eval()
    program = recorded(model, 3, 4)
    after = Counter(i.opcode for i in program.post_draw)
    assert after["STORE_KV"] == len(program.kv_caches) == 2
    assert after["LINEAR"] == 2
    assert all(cache.length == 12 for cache in program.kv_caches)
    for words in ("KV cache `attend.1`: 15 channels of 3 heads", "after the draw of each site", "attend", "store_kv"):
        assert words in describe(program)

    def idle(x: Tensor, ctx: Any) -> Tensor:
        h = model(x, ctx)
        ctx.attend("unread", h, lambda h: (h, h), (h,), 1)
        return h

    unread = record(idle, num_sub_steps=3, canvas_width=1, height=3, width=4)
    assert len(unread.kv_caches) == 2
    assert len(unread.post_draw) == len(program.post_draw)


def test_each_head_is_computed_at_one_sub_step() -> None:
    program = recorded(Attentive(num_sub_steps=3, heads=2).double().eval(), 3, 4)
    for step, code in enumerate(program.sub_steps):
        attended = [i for i in code if i.opcode == "ATTEND"]
        assert [i.head for i in attended] == [2 * step, 2 * step]
        assert all(i.output is not None and i.output.channels == 4 for i in attended)


def test_a_query_that_knows_too_much_is_refused() -> None:
    """A wrong mask of sub-pixels is followed back through the attention to the window that brought it in."""
    model = Attentive(num_sub_steps=2)
    sound = model.masked

    def faulty(conv: nn.Conv2d, *, strict: bool = False) -> Tensor:
        return conv.weight if conv is model.q[0] else sound(conv, strict=strict)

    model.masked = faulty  # type: ignore[method-assign]
    with pytest.raises(CausalityError, match=r"sub-pixel 0 depend on sub-pixel 0 .*`first`.*channel mask"):
        record(model, num_sub_steps=2, canvas_width=1, height=3, width=3)


def test_tokens_that_do_not_fit_are_refused() -> None:
    """Queries and keys of one width, whole heads, tokens that are known beforehand."""
    tokens = Tokens(torch.ones(1, 2, 5), torch.ones(1, 2, dtype=torch.bool))
    projections = nn.Linear(5, 4), nn.Linear(5, 6)

    def cross(channels: int, heads: int) -> Any:
        point = torch.ones(channels, 1, 1, 2)

        def forward(x: Tensor, ctx: Any) -> Any:
            query = F.conv2d(ctx.window("a", x, up=0, left=2, right=-1), point)
            return ctx.cross_attend("cross", query, tokens, *projections, heads)

        return record(forward, num_sub_steps=1, canvas_width=1, height=2, width=2)

    assert cross(4, 2).params.channels == 6
    for channels, heads, words in (
        (8, 2, "Queries of 8, keys of 4"),
        (4, 4, "values of 6 channels"),
        (6, 4, "6 channels meet 4 heads"),
    ):
        with pytest.raises(CausalityError, match=words):
            cross(channels, heads)
