"""The hand-written sampler of `benchmarks/` agrees with the full pass: a yardstick must measure the same thing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def handwritten() -> Any:
    """The module, which is compiled when it is first used."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import handwritten_gated
    finally:
        sys.path.remove(str(BENCHMARKS))
    return handwritten_gated


def model(levels: int, channels: int = 12, layers: int = 3, **settings: Any) -> pt.PixelModel:
    """A network with large weights, so that its draws depend on every one of them."""
    built = pt.build(
        "gated-pixelcnn", shape=(1, 6, 7), levels=levels, channels=channels, layers=layers, head_channels=9, **settings
    )
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(2)
    return built.eval()


@pytest.mark.slow
@pytest.mark.parametrize("levels", [2, 7, 256])
@pytest.mark.parametrize("settings", [{}, {"first_kernel": 3, "kernel": 5, "layers": 2}])
def test_samples_as_the_full_pass(handwritten: Any, levels: int, settings: dict[str, int]) -> None:
    """Logits at every pixel, every draw, and the image of the naive sampler from the same uniforms."""
    ours = model(levels, **settings)
    for batch, height, width in ((1, 6, 7), (2, 1, 1), (17, 5, 3)):
        assert handwritten.check(ours, batch, height, width) < 1e-5
        uniforms = np.random.default_rng(1).random((batch, height, width))
        naive = pt.sample(ours, batch, uniforms=uniforms[:, None], engine="naive", size=(height, width))
        levels_found, _ = handwritten.Handwritten(ours).sample(uniforms)
        assert (levels_found == naive.levels[:, 0].numpy()).all()


@pytest.mark.slow
def test_a_wrong_weight_is_noticed(handwritten: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: with one bias changed the logits are no longer those of the full pass."""
    ours = model(7)
    packed = handwritten.pack(ours)
    packed.row_bias[1, 0] += 0.1
    monkeypatch.setattr(handwritten, "pack", lambda _: packed)
    assert handwritten.check(ours, 2, 6, 7) > 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"dilations": (1, 2)}, {"classes": 3}, {"linear_kernel": 3}])
def test_rejects_what_it_was_not_written_for(handwritten: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="hand-written"):
        handwritten.pack(model(4, **settings))
