"""The dense masked network computes the same with masked kernels of full size: a fair baseline."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import pointillist as pt
from pointillist.errors import EngineError
from pointillist.networks import entry, names
from pointillist.nn import CausalConv2d
from speed.dense_masked import as_dense_masked
from speed.training import VARIANTS, StepRunner
from tests.tolerances import BF16, network_rounding

SMALL: dict[str, Any] = {"preset": "tiny", "classes": 3}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", names())
def test_same_function_with_kernels_of_full_size(name: str, channels: int) -> None:
    """In float64, on odd sizes, for every model that has sliced kernels."""
    torch.manual_seed(0)
    if "tiny" not in entry(name).presets:
        pytest.skip(f"{name} has no tiny preset")
    model = pt.build(name, shape=(channels, 7, 6), levels=5, **SMALL).double().eval()
    if not any(isinstance(layer, CausalConv2d) for layer in model.modules()):
        pytest.skip(f"{name} has no sliced kernel")
    other = as_dense_masked(model)
    kernels = [layer.weight.shape[2:] for layer in other.modules() if isinstance(layer, CausalConv2d)]
    assert any(kernel != (1, 1) for kernel in kernels)
    assert all(side % 2 for kernel in kernels for side in kernel)
    assert sum(p.numel() for p in other.parameters()) > model.num_parameters()
    x = torch.randint(5, (2, channels, 7, 6))
    with torch.no_grad():
        told = model.conditions.inputs([0, 2], 2)
        nats = model(x, told)
    torch.testing.assert_close(other(x, told), nats, rtol=0, atol=network_rounding(other, nats))


@pytest.mark.parametrize("name", ["pixelcnn-pp", "gated-pixelcnn"])
def test_layers_with_local_gain_stay_sliced(name: str) -> None:
    """They read differences from a prediction; all others have a kernel of full size, and the function is the same."""
    torch.manual_seed(0)
    model = pt.build(name, shape=(1, 7, 6), levels=256, preset="tiny", likelihood="mixture", local_gain=True)
    model = model.double().eval()
    other = as_dense_masked(model)
    layers = [layer for layer in other.modules() if isinstance(layer, CausalConv2d)]
    assert 0 < sum(layer.local_gain is not None for layer in layers) < len(layers) / 2
    x = torch.randint(256, (2, 1, 7, 6))
    with torch.no_grad():
        nats = model(x)
    torch.testing.assert_close(other(x), nats, rtol=0, atol=network_rounding(other, nats))


def test_masked_taps_learn_nothing() -> None:
    model = pt.build("gated-pixelcnn", shape=(1, 5, 5), levels=4, channels=4, layers=2, head_channels=4)
    other = as_dense_masked(model).train()
    other(torch.randint(4, (2, 1, 5, 5))).sum().backward()
    for layer in other.modules():
        if isinstance(layer, CausalConv2d):
            assert layer.weight.grad is not None
            assert (layer.weight.grad[(layer.mask == 0).expand_as(layer.weight)] == 0).all()
            assert layer.weight.grad.abs().max() > 0


def test_another_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dense masked network with a mask of ones sees the future, and is not a baseline."""
    model = pt.build("pixelcnn", shape=(1, 5, 5), levels=4, channels=4, layers=1, head_channels=4)
    monkeypatch.setattr(CausalConv2d, "masked_weight", lambda self: self.weight)
    with pytest.raises(EngineError, match="differs"):
        as_dense_masked(model)


def test_all_variants_take_the_same_step() -> None:
    """From the same weights each variant in float32 has the same loss after three steps, and bf16 nearly."""
    torch.manual_seed(0)
    model = pt.build("gated-pixelcnn", shape=(1, 6, 6), levels=4, channels=8, layers=2, head_channels=8)
    x = torch.randint(4, (3, 1, 6, 6))
    losses = {}
    for variant in VARIANTS:
        step = StepRunner(model, variant, x, None)
        for _ in range(3):
            step()
        with torch.no_grad():
            losses[variant.name] = float(-step.model(x).mean())
    sliced = losses["sliced"]
    with torch.no_grad():
        start = float(-model(x).mean())
    assert sliced < start
    for variant in VARIANTS:
        within = BF16 * sliced if variant.bf16 else network_rounding(model, sliced)
        assert losses[variant.name] == pytest.approx(sliced, abs=within)
