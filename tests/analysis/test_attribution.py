"""What a pixel looked at: finite differences, completeness, and nothing outside of what it can see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis import ImageQuery, gradient, gradient_maps
from pointillist.analysis.layers import Network
from pointillist.networks import names
from tests.tolerances import rounding

from .helpers import grey, tiny

DIFFERENCE_QUOTIENT = 1e-8
"""A central difference of step h in float64 is wrong by h^2, and by 1e-15 / h, for h = 1e-6."""


@pytest.mark.one_in(4)
@pytest.mark.parametrize("kind", ["grey", "rgb", "mixture", "codes"])
@pytest.mark.parametrize("name", names())
def test_nothing_outside_the_receptive_field(kind: str, name: str) -> None:
    """Exactly zero."""
    model = tiny(kind, name)
    x = torch.randint(3, model.image.shape)
    _, height, width = model.image.shape
    for channel in range(model.image.channels):
        site = (height - 1, width - 1, channel)
        field = pt.receptive_field(model, *site)
        assert not gradient(ImageQuery.of(model, x), *site).values[~field.depends].any()


def test_the_gradient_is_the_slope() -> None:
    """Against a finite difference of the canvas, for one sub-pixel and for the whole pixel."""
    model = tiny("rgb")
    x = torch.randint(3, model.image.shape)
    step = 1e-6

    def bits(canvas: torch.Tensor, channel: int | None) -> float:
        with torch.no_grad():
            found = model.likelihood.log_prob(model.outputs_of(canvas), x[None])[0, :, 0, 1] / np.log(2)
        return float(found.sum() if channel is None else found[channel])

    model.outputs_of = Network(ImageQuery.of(model, x)).outputs  # type: ignore[assignment]
    for channel in (None, 0, 2):
        wanted = np.zeros(model.image.shape)
        for place in np.ndindex(*model.image.shape):
            canvas = model.canvas(x[None]).detach()
            up, down = canvas.clone(), canvas.clone()
            up[(0, *place)] += step
            down[(0, *place)] -= step
            wanted[place] = (bits(up, channel) - bits(down, channel)) / (2 * step)
        found = gradient(ImageQuery.of(model, x), 0, 1, channel)
        assert found.unit == "bits per level"
        assert np.allclose(
            found.values, wanted * 2 / 2, rtol=0, atol=DIFFERENCE_QUOTIENT
        )  # a level is 2 / (3 - 1) of the canvas


def test_all_gradients_at_once_are_those_one_by_one() -> None:
    model = grey(3, 4)
    x = torch.randint(5, model.image.shape)
    query = ImageQuery.of(model, x)
    found = gradient_maps(query)
    for place, (row, column) in enumerate(np.ndindex(3, 4)):
        one = gradient(query, row, column).values.mean(0)
        within = rounding(one, terms=1, dtype=torch.float32)  # maps are float32
        assert np.allclose(found[place], one, rtol=0, atol=within)
    assert np.allclose(gradient_maps(query, [(2, 1)])[0], found[9], rtol=0, atol=rounding(found[9], terms=1))


def test_the_model_stays_as_it_is() -> None:
    model = grey(3, 3).train()
    gradient(ImageQuery.of(model, torch.zeros(1, 3, 3, dtype=torch.int64)), 2, 2)
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_pictures_and_faults() -> None:
    model = grey(2, 3)
    x = torch.zeros(1, 2, 3, dtype=torch.int64)
    assert gradient(ImageQuery.of(model, x), 1, 1)._repr_png_().startswith(b"\x89PNG")
    assert gradient(ImageQuery.of(model, x), 0, 0)._repr_png_().startswith(b"\x89PNG")  # nothing before it
    with pytest.raises(pt.ConfigError, match="`column`"):
        gradient(ImageQuery.of(model, x), 0, 3)
