"""Law: the gradients of bf16 are those of float32, for any number of features, dilation and width.

torch has fast kernels for special numbers of features and widths, and not all of them are right.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pointillist as pt
from pointillist.nn.functional.convolution import dilated_conv2d

LAST = torch.channels_last


@given(
    features=st.integers(1, 70),
    outputs=st.integers(1, 50),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.integers(1, 5),
    size=st.tuples(st.integers(1, 5), st.integers(1, 70)),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_dilated_convolution(
    features: int, outputs: int, kernel: tuple[int, int], dilation: int, size: tuple[int, int], seed: int
) -> None:
    """Of the weights and of the maps."""
    random = torch.Generator().manual_seed(seed)
    rows, columns = ((taps - 1) * dilation + pixels for taps, pixels in zip(kernel, size, strict=True))
    x = torch.randn(2, features, rows, columns, generator=random).bfloat16()
    weight = torch.randn(outputs, features, *kernel, generator=random).bfloat16()
    direction = torch.randn(2, outputs, *size, generator=random).bfloat16()

    def gradients(dtype: torch.dtype) -> tuple[Tensor, ...]:
        own = [one.to(dtype, memory_format=LAST, copy=True).requires_grad_() for one in (x, weight)]
        out = dilated_conv2d(*own, dilation=dilation)
        return torch.autograd.grad(out, own, direction.to(dtype))

    for found, expected in zip(gradients(torch.bfloat16), gradients(torch.float32), strict=True):
        assert (found - expected).norm() <= 0.01 * expected.norm()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gated-pixelcnn", {"channels": 24, "layers": 4, "dilations": (2, 4)}),
        ("locally-masked-pixelcnn", {"channels": 24, "layers": 4, "dilations": (2, 4)}),
        ("parallel-multiscale", {"map_channels": 24, "dilations": (2, 4)}),
    ],
)
def test_networks(name: str, settings: dict[str, Any]) -> None:
    """Also of their conditions: of known pixels the features are dilated too."""
    torch.manual_seed(0)
    conditions = {"known": {"width": 24, "layers": 3}}
    model = pt.build(name, shape=(1, 4, 80), levels=4, preset="tiny", conditions=conditions, **settings)
    model = model.to(memory_format=LAST).eval()
    x, known = torch.randint(0, 4, (2, 1, 4, 80)), torch.rand(2, 1, 4, 80) < 0.5
    inputs = model.conditions.inputs(None, 2, known=(x, known))

    def gradient(enabled: bool) -> Tensor:
        own = copy.deepcopy(model)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            own(x, inputs).mean().backward()
        return torch.cat([weight.grad.flatten() for weight in own.parameters() if weight.grad is not None])

    found, expected = gradient(True), gradient(False)
    assert (found - expected).norm() <= 0.1 * expected.norm()  # rounding: up to 0.06
