"""Feature maps have the memory format of the weights, from the canvas to the gradients; results do not depend on it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import pointillist as pt
from pointillist.networks import names
from pointillist.nn.passes import channels_last, is_channels_last
from tests.equality import equal
from tests.tolerances import DOUBLE, FORMULA

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
