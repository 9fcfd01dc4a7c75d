"""The network's outputs of a painting, kept on the way: those of the full pass at each site that was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.distributions.transform import Transform
from pointillist.engine.batch import empty_batch
from pointillist.engine.head.frequencies import frequencies, log_probs
from pointillist.engine.weights import inference_mode
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.model.portable.conditions import join_inputs
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.engines import UniformSampler
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop
from tests.integer_draws import encoded, log_probs_of
from tests.laws.strategies import make_model
from tests.tolerances import DOUBLE

RGB = ImageSpec.infer((3, 4, 5), 4)
GREY = ImageSpec.infer((1, 5, 4), 7)
CASES: dict[str, tuple[str, ImageSpec, dict[str, Any]]] = {
    "channels": ("gated-pixelcnn", RGB, {"labels": True}),
    "mixture": ("pixelcnn-pp", RGB.model_copy(update={"levels": 256}), {"likelihood": "mixture"}),
    "stages": ("multiscale-pixelrnn", GREY, {"settings": {"factor": 2}, "labels": True}),
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
        expected = model.outputs(model.canvas(levels), model.encode(told, 2), model.order())
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
        expected = model.outputs(model.canvas(levels), model.encode(model.conditions.inputs(1, 2), 2))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=DOUBLE)


@pytest.mark.parametrize(("case", "guidance"), [*((c, 1.0) for c in CASES if c != "stages"), ("channels", 3.0)])
def test_outputs_of_integers_are_log_probabilities_of_the_program(case: str, guidance: float) -> None:
    """At every sub-pixel that is drawn, of the conditional images; known ones stay, cost nothing and have none."""
    name, image, further = CASES[case]
    model, rng = make_model(name, image, **further), np.random.default_rng(0)
    pt.quantize_integer(model, torch.from_numpy(rng.integers(0, image.levels, (4, *image.shape))), images=4)
    integers, order, size = model.integer_model(), model.order(), (image.height, image.width)
    x, mask = rng.integers(0, image.levels, (2, *image.shape)), rng.random(size) < 0.3
    conditional = encoded(integers, 2, size, order, label=1 if model.config.classes else None)
    both = join_inputs(conditional, encoded(integers, 2, size, order)) if guidance != 1 else conditional
    batch = empty_batch(rng.random(x.shape), order, (x, np.broadcast_to(mask, image.shape)))
    batch.params = np.full((2, *batch.levels.shape[2:], image.channels * image.levels), np.nan)
    seen: list[int] = []

    def count(rows: int, levels: np.ndarray) -> None:
        seen.append(int((~np.isnan(batch.params)).sum()))

    levels = integers.draw(batch, both, order, Transform(guidance), on_row=count)
    outputs = order.array_from_raster(np.moveaxis(batch.params, 3, 1)).reshape(2, image.channels, image.levels, *size)
    assert np.array_equal(levels[:, :, mask], x[:, :, mask])
    assert np.isnan(outputs[..., mask]).all()
    read = model.conditions.inputs(1 if model.config.classes else None, 2, size=size)
    params = np.moveaxis(integers.distributions(levels, read, order).params, 1, 3)
    head = integers.program(order).head
    for channel in range(image.channels):
        for row, column in np.argwhere(~mask):
            table = frequencies(head, params[:, row, column], levels[:, :, row, column], channel)
            np.testing.assert_array_equal(outputs[:, channel, :, row, column], log_probs(table, head.precision))
    nats = log_probs_of(integers, levels, conditional, order)[:, :, ~mask].sum((1, 2))
    np.testing.assert_allclose(batch.nats, nats, rtol=DOUBLE)
    assert seen == sorted(seen)
    assert seen[-1] == int((~mask).sum()) * 2 * image.channels * image.levels
