"""The network's outputs of a painting, kept on the way: those of the full pass at each site that was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pointillist.engine.weights import inference_mode
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.loop import ObservedPixels, UniformSampler, autoregressive_loop
from tests.laws.strategies import make_model
from tests.tolerances import DOUBLE

RGB = ImageSpec.infer((3, 4, 5), 4)
GREY = ImageSpec.infer((1, 5, 4), 7)
CASES: dict[str, tuple[str, ImageSpec, dict[str, Any]]] = {
    "channels": ("gated-pixelcnn", RGB, {"labels": True}),
    "mixture": ("pixelcnn-pp", RGB.model_copy(update={"levels": 256}), {"likelihood": "mixture"}),
    "stages": ("multiscale-pixelrnn", GREY, {"settings": {"factor": 2}}),
    "s-curve": ("locally-masked-pixelcnn", GREY, {"orders": ("s-curve-columns-br",)}),
    "columns": ("pixelcnn", GREY, {"orders": ("raster-columns-tr",)}),
}


def _painted(
    model: PixelModel, engine: str, known: ObservedPixels | None, guidance: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Levels, outputs, and how many pixels had outputs after each row."""
    channels, height, width = model.image.shape
    told = model.conditions.inputs(1 if model.config.classes else None, 2)
    config = SamplingConfig(guidance=guidance, engine=engine)
    chooser = UniformSampler(torch.rand(2, channels, height, width, dtype=torch.float64), config.transform)
    carried = chooser.duplicate_for_guidance(told)
    turned = model.order().raster_size(height, width)
    outputs = torch.full((2, model.likelihood.num_params, *turned), torch.nan, dtype=torch.float64)
    seen: list[int] = []
    with inference_mode(model):
        levels = autoregressive_loop(
            model, model.encode(carried, len(carried)), chooser, (len(carried), height, width), config,
            on_row=lambda rows, x: seen.append(int((~outputs[0, 0].isnan()).sum())), known=known, outputs=outputs,
        )  # fmt: skip
    return levels[:2], model.order().from_raster(outputs), seen


@pytest.mark.parametrize("engine", ["torch", "numpy"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_the_full_pass(case: str, engine: str) -> None:
    """At every site, from whichever stage it was drawn in, with rows reported after they are there."""
    name, image, further = CASES[case]
    model = make_model(name, image, **further)
    levels, outputs, seen = _painted(model, engine, None)
    told = model.conditions.inputs(1 if model.config.classes else None, 2)
    with inference_mode(model):
        expected = model.params(levels, model.encode(told, 2), model.order())
    torch.testing.assert_close(outputs, expected, rtol=0, atol=DOUBLE)
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert seen[-1] == image.height * image.width


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_known_sites_have_none(engine: str) -> None:
    """Nothing was asked there."""
    model = make_model("gated-pixelcnn", RGB, labels=True)
    mask = torch.from_numpy(np.random.default_rng(0).random((4, 5)) < 0.5)
    known = ObservedPixels(torch.randint(4, (4, 3, 4, 5)), mask)
    _, outputs, _ = _painted(model, engine, known, guidance=2.0)
    assert outputs.isnan().all(1).equal(mask.expand(2, -1, -1))
    assert outputs[:, :, ~mask].isfinite().all()


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_under_guidance_they_are_those_of_the_images_that_are_told(engine: str) -> None:
    """Not those of their untold twins."""
    model = make_model("gated-pixelcnn", RGB, labels=True)
    levels, outputs, _ = _painted(model, engine, None, guidance=3.0)
    with inference_mode(model):
        expected = model.params(levels, model.encode(model.conditions.inputs(1, 2), 2))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=DOUBLE)
