"""Dropout with a cheaper random mask, and the memory format of feature maps: results do not depend on either."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import pointillist as pt
from pointillist.networks import names
from pointillist.nn.activation import Dropout
from pointillist.nn.passes import channels_last, is_channels_last
from tests.equality import equal
from tests.tolerances import DOUBLE, FORMULA

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


BATCH = 7  # no weight has so many outputs


def format_of(t: Any) -> str:
    """`C` for channels last, `N` for NCHW, or nothing if both or neither apply."""
    if not isinstance(t, Tensor) or t.ndim != 4 or len(t) != BATCH or t.shape[1] == 1 or t.shape[2:] == (1, 1):
        return ""
    return "N" if t.is_contiguous() else "C" if t.is_contiguous(memory_format=torch.channels_last) else ""


class Meetings(TorchDispatchMode):
    """Records every function that gets two maps of one shape in different memory formats."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        maps = [t for t in tree_leaves((args, kwargs)) if format_of(t)]
        for shape in {t.shape for t in maps}:
            if len({format_of(t) for t in maps if t.shape == shape}) > 1 and "copy_" not in str(func):
                self.found.append(f"{func} {tuple(shape)}")
        return func(*args, **(kwargs or {}))


def build(name: str, channels: int, height: int = 9, width: int = 10, **settings: Any) -> pt.PixelModel:
    torch.manual_seed(0)
    return pt.build(name, shape=(channels, height, width), levels=5, preset="tiny", position_channels=2, **settings)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", names())
def test_no_two_memory_formats_meet(name: str, channels: int) -> None:
    """Forward and backward, in the memory format of training: where two met, an operation took ten times as long."""
    model = build(name, channels).to(memory_format=torch.channels_last).train()
    x = torch.randint(5, (BATCH, channels, 9, 10))
    with Meetings() as meetings:
        model(x).sum().backward()
    assert meetings.found == []


def test_the_meeting_of_two_memory_formats_is_noticed() -> None:
    a = torch.zeros(BATCH, 3, 4, 5)
    with Meetings() as meetings:
        a + channels_last(a)
        a + a
    assert len(meetings.found) == 1


@pytest.mark.one_in(4)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", names())
def test_results_do_not_depend_on_the_memory_format(name: str, channels: int) -> None:
    """Logits, gradients and samples; the images are small, because `naive` samples them by full forwards."""
    model = build(name, channels, 4, 5, classes=2).double().eval()
    x = torch.randint(5, (3, channels, 4, 5))
    told = model.conditions.inputs([0, 1, 0], 3)
    expected = model(x, told)
    expected.sum().backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    model.to(memory_format=torch.channels_last)
    found = model(x, told)
    torch.testing.assert_close(found, expected, rtol=FORMULA, atol=FORMULA)
    found.sum().backward()
    for n, p in model.named_parameters():
        if n in gradients:
            torch.testing.assert_close(p.grad, gradients[n], rtol=DOUBLE, atol=DOUBLE)
    other = build(name, channels, 4, 5, classes=2).double()
    assert equal(*(pt.sample(m, 2, seed=0, engine="naive").levels for m in (model, other)))


def test_a_map_of_one_channel_has_a_memory_format_too() -> None:
    x = torch.randn(2, 1, 3, 4, requires_grad=True)
    assert not is_channels_last(x)
    y = channels_last(x)
    assert is_channels_last(y)
    assert channels_last(y) is y
    assert equal(x, y)
    y.sum().backward()
    assert equal(x.grad, torch.ones_like(x))
