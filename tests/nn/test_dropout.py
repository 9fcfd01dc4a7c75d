"""Dropout with a cheaper random mask behaves like torch's, in any memory format and from torch's generator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pointillist.nn.activation import Dropout
from tests.equality import equal

STEP = 2.0**-15
"""Probabilities are multiples of it."""


def scales(x: Tensor, p: float) -> Tensor:
    """The factor of each element."""
    return Dropout(p)(x) / x


@given(p=st.floats(0.01, 0.99), size=st.integers(1, 70), seed=st.integers(0, 99))
def test_numbers_are_dropped_or_scaled(p: float, size: int, seed: int) -> None:
    """By 0 or 1 / (1 - p), p to 2^-15; the gradient likewise; the same again from the same seed."""
    x = (torch.rand(size) + 1).requires_grad_()
    torch.manual_seed(seed)
    y = Dropout(p)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, (y / x).detach())
    kept = gradient[gradient > 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=STEP / (1 - p), atol=0)
    torch.manual_seed(seed)
    assert equal(Dropout(p)(x), y)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.85])
def test_shares_are_right_in_every_lane(p: float) -> None:
    """Also in each of the four lanes of a random number, and for neighbours; two calls differ."""
    torch.manual_seed(0)
    kept = scales(torch.ones(400_000), p) > 0
    for lane in range(4):
        assert abs(kept[lane::4].float().mean() - (1 - p)) < 0.006
        both = (kept[lane::4] & kept.roll(-1)[lane::4]).float().mean()
        assert abs(both - (1 - p) ** 2) < 0.006
    assert not equal(kept, scales(torch.ones(400_000), p) > 0)
    assert (kept & (scales(torch.ones(400_000), p) > 0)).float().mean() - (1 - p) ** 2 < 0.004


def test_any_memory_format_and_precision() -> None:
    """The memory format stays; an input may have gaps or repeats."""
    x = torch.rand(2, 6, 5, 4) + 1
    for given_ in (
        x, x.to(memory_format=torch.channels_last), x[:, ::2], x[:1].expand(3, -1, -1, -1), x.bfloat16(), x.double()
    ):  # fmt: skip
        y = Dropout(0.5)(given_)
        assert y.shape == given_.shape
        assert y.dtype == given_.dtype
        assert set(((y / given_).float() * 4).round().unique().tolist()) == {0.0, 8.0}
    last = x.to(memory_format=torch.channels_last)
    assert Dropout(0.5)(last).is_contiguous(memory_format=torch.channels_last)
    repeated = Dropout(0.5)(torch.ones(1, 1).expand(64, 64))
    assert 0 < (repeated == 0).sum() < 64 * 64
    assert not (repeated[0] == repeated[1]).all()


def test_where_nothing_is_drawn() -> None:
    """In evaluation, at 0 and at 1, and of nothing: as torch does it."""
    x = torch.rand(3, 4)
    assert equal(Dropout(0.5).eval()(x), x)
    for p in (0.0, 1.0):
        assert equal(Dropout(p)(x), nn.Dropout(p)(x))
    assert Dropout(0.5)(torch.zeros(0, 3)).shape == (0, 3)


def test_a_compiled_network_with_dropout_is_one_graph() -> None:
    """Each break would be compiled once per shape, and torch gives up after eight."""
    layers = nn.Sequential(nn.Conv2d(2, 4, 1), Dropout(0.3), nn.Conv2d(4, 2, 1))
    compiled = torch.compile(layers, fullgraph=True, backend="eager")
    x = torch.ones(2, 2, 5, 3)
    assert compiled(x).shape == layers(x).shape


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself
def test_a_compiled_network_drops_the_same_elements() -> None:
    """Compiled, the masks come from torch's generator as well, another one for each layer, for the same input too."""

    def two(x: Tensor) -> tuple[Tensor, Tensor]:
        return layer(x), layer(x)

    layer = Dropout(0.3)
    x = (torch.rand(2, 6, 5, 4) + 1).requires_grad_()
    results = []
    for call in (two, torch.compile(two, fullgraph=True)):
        torch.manual_seed(0)
        first, second = call(x)
        assert not equal(first, second)
        results.append((first, second, *torch.autograd.grad(first.sum() + second.sum(), x)))
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(eager, compiled, rtol=2 * torch.finfo(x.dtype).eps, atol=0)  # two products
