"""Properties of evaluation: every image is counted once, and bits are bits (P10)."""

from __future__ import annotations

import math

import numpy as np
import torch

from pointillist.analysis.evaluation import likelihood
from pointillist.engine.weights import inference_mode
from pointillist.model.pixel_model import PixelModel
from tests.tolerances import DOUBLE, network_rounding

from .strategies import random_levels


def check_evaluation(model: PixelModel, count: int = 11) -> None:
    """Check that the result is that of one image at a time, for any batch size, whether it divides the count or not."""
    x = random_levels(model, count)
    labels = torch.arange(count) % len(model.config.classes) if model.config.classes else None
    with inference_mode(model):
        one_by_one = torch.cat([
            -model.log_prob(x[i : i + 1], None if labels is None else labels[i]) for i in range(count)
        ])  # fmt: skip
    expected = one_by_one.double().numpy()
    within = network_rounding(model, expected)
    per_dim = within / math.log(2) / x[0].numel()
    for batch_size in (1, 3, 4, 10, 11, 64):
        found = likelihood.evaluate(model, x, labels, batch_size=batch_size)
        assert found.count == count
        assert found.dims == x[0].numel()
        np.testing.assert_allclose(found.nats_per_image, expected, rtol=0, atol=within)
        assert math.isclose(found.nats, expected.mean(), abs_tol=within)
        assert math.isclose(found.bits_per_dim, expected.sum() / math.log(2) / x.numel(), abs_tol=per_dim)
        low, high = found.interval
        half = 1.96 * expected.std(ddof=1) / math.sqrt(count) / math.log(2) / found.dims
        assert math.isclose(high - low, 2 * half, rel_tol=1e-3)
        assert math.isclose((high + low) / 2, found.bits_per_dim, rel_tol=DOUBLE)


def check_known_entropy(model: PixelModel, count: int = 7) -> None:
    """Check that all weights zero give exactly log2(levels) bits per dimension: every level is equally likely."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = likelihood.evaluate(model, random_levels(model, count), batch_size=3)
    assert math.isclose(found.bits_per_dim, math.log2(model.image.levels), rel_tol=1e-6)
