"""Engines that paint whole images equal the full pass in single precision: every model, likelihood, shape, batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.engine.selection import DEVICE_ENGINES
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import names

from .machine import check_draws, check_machine_equals_full
from .strategies import models, random_conditions, random_inputs, random_levels


def calm(model: PixelModel) -> PixelModel:
    """In single precision, its weights half as large: those of `models` let some networks magnify rounding."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    return model.float().eval()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
@settings(max_examples=6)
@given(data=st.data())
def test_every_site_has_the_parameters_of_the_full_pass(name: str, data: st.DataObject) -> None:
    """Batches of 1 to 17; whatever the batch, the threads, and whether it stops, the bits are the same."""
    model = calm(data.draw(models(name)))
    count = data.draw(st.integers(1, 17))
    check_machine_equals_full(model, random_levels(model, count), random_inputs(model, count))


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", names())
@settings(max_examples=6)
@given(data=st.data())
def test_every_draw_is_that_of_the_full_pass(name: str, data: st.DataObject) -> None:
    """From the same uniforms; where a uniform lies at an edge, the image goes on from what was drawn."""
    model = calm(data.draw(models(name)))
    count = data.draw(st.integers(1, 17))
    seed, threads = data.draw(st.integers(0, 99)), data.draw(st.integers(1, 3))
    asked = random_conditions(model, count)
    for engine in ("cpu", *DEVICE_ENGINES):
        at_edges = check_draws(model, count, seed, engine, threads, **asked)
        assert at_edges <= 1 + count * model.image.channels * model.image.height * model.image.width // 100
