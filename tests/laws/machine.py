"""Property of the compiled engine, in single precision: it computes the parameters of the full pass.

Whole images come from one compiled call; every site of them is compared with the full pass over the same image, and
every draw with the distribution that the full pass gives there. A draw may be another one only where its uniform lies
within 1e-5 of an edge of the cumulative distribution. Some networks with random weights magnify rounding: there the
full pass in single precision is itself further than that from the full pass in double precision, and four times that
distance is allowed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.completion.sample import sample
from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.engine import Program
from pointillist.engine.batch import SampleBatch
from pointillist.engine.cpu import CpuSampler, CpuStepper
from pointillist.engine.torch.sampler import Draw, TorchSampler
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.model.recorded import record_stage
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.sampling.engines import draw_spec

TOLERANCE = 1e-5
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass
class Recorded:
    """A stage of a model, recorded for images that are known."""

    stage: Stage
    program: Program
    x: Tensor
    """Levels of its grid, `[b c h w]`."""
    new: Tensor
    """Which of its sites belong to it, and not to a stage before."""


def recorded(model: PixelModel, condition: Condition, x: Tensor) -> Iterator[Recorded]:
    """The stages, each told what it would be told."""
    order = model.order()
    turned, told = order.to_raster(x), model.conditions.to_raster_frame(condition, order)
    height, width = turned.shape[2:]
    known = torch.zeros(height, width, dtype=torch.bool)
    coarse = None
    for stage in model.stages(height, width):
        program = record_stage(model, stage, stage.condition(coarse, told), height, width, order)
        yield Recorded(stage, program, stage.grid(turned).contiguous(), ~stage.grid(known))
        coarse = model.canvas(stage.grid(turned))
        known[:: stage.step[0], :: stage.step[1]] = True


def machine_params(model: PixelModel, part: Recorded, images: slice = slice(None), threads: int = 1) -> np.ndarray:
    """Parameters `[b p h w]` from one compiled call over known images."""
    x = part.x[images].numpy()
    draw = draw_spec(model)
    rows = {key: condition.default for key, condition in part.program.inputs.items()}
    inputs = {key: v[images].reshape(-1, v.shape[-1]) if v.ndim == 2 else v[images] for key, v in rows.items()}
    inputs = {key: v for key, v in inputs.items() if len(rows[key]) > 1}
    batch = SampleBatch(
        levels=x.copy(), known=np.ones(x.shape, bool), uniforms=np.zeros(x.shape), nats=np.zeros(len(x)),
        params=np.full((len(x), *x.shape[2:], part.program.params.channels), np.nan, part.program.dtype),
    )  # fmt: skip
    CpuSampler(part.program, draw, inputs=inputs, threads=threads).sample(batch)
    assert np.array_equal(batch.levels, x), "known levels were overwritten"
    assert not batch.nats.any(), "known levels cost nats"
    found = batch.params
    assert found is not None
    return np.moveaxis(found, -1, 1)


def device_params(model: PixelModel, part: Recorded, *, jacobi: bool) -> np.ndarray:
    """The same by the CUDA engine, on a GPU or else on tensors of this processor."""
    x = part.x.numpy()
    batch = SampleBatch(
        x.copy(), np.ones(x.shape, bool), np.zeros(x.shape), np.zeros(len(x)),
        np.full((len(x), *x.shape[2:], part.program.params.channels), np.nan, part.program.dtype),
    )  # fmt: skip

    def choose(params: Tensor, levels: Tensor, channel: int, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(uniforms, dtype=torch.int64), torch.ones_like(uniforms)

    values = model.level_embeddings().detach().numpy()
    sampler = TorchSampler(part.program, Draw(choose, values), DEVICE, jacobi=jacobi)
    sampler.sample(batch)
    assert sampler.num_iterations <= part.program.height * (
        1 if not jacobi else part.program.width * part.program.num_sub_steps
    )
    assert np.array_equal(batch.levels, x), "known levels were overwritten"
    assert not batch.nats.any(), "known levels cost nats"
    assert batch.params is not None
    return np.moveaxis(batch.params, -1, 1)


def check_machine_equals_full(model: PixelModel, x: Tensor, told: ConditionInputs) -> None:
    """Parameters of every site, to 1e-5; the same bits for each image alone, in two threads, and stopping at sites.

    The CUDA engine is held to the same parameters, whether it goes from site to site or iterates over rows.
    """
    doubled = copy.deepcopy(model).double()
    with inference_mode(model), inference_mode(doubled):
        condition = model.encode(told, len(x))
        full = model.order().to_raster(model.params(x, condition))
        exact = model.order().to_raster(doubled.params(x, doubled.encode(told, len(x))))
        for part in recorded(model, condition, x):
            found = machine_params(model, part)
            new = part.new.numpy()
            expected, true = (part.stage.grid(t).numpy()[..., new] for t in (full, exact))
            allowed = max(
                TOLERANCE * max(1.0, np.abs(expected).max(initial=0)), 4 * np.abs(expected - true).max(initial=0)
            )
            np.testing.assert_allclose(found[..., new], expected, rtol=0, atol=allowed)
            for jacobi in (False, True):
                again = device_params(model, part, jacobi=jacobi)
                np.testing.assert_allclose(again[..., new], expected, rtol=0, atol=allowed, err_msg=f"{jacobi=}")
            assert np.array_equal(found, machine_params(model, part, threads=2)), "two threads give other bits"
            last = slice(len(x) - 1, len(x))
            assert np.array_equal(found[last], machine_params(model, part, last)), "an image alone gives other bits"
            assert np.array_equal(found, stopping_params(model, part)), "stopping at each site gives other bits"


def stopping_params(model: PixelModel, part: Recorded) -> np.ndarray:
    """Parameters `[b p h w]` from an engine that stops at each site."""
    program, groups = part.program, model.dims.groups
    engine = CpuStepper(program, len(part.x))
    canvas = model.canvas(part.x).unflatten(1, (groups, -1)).numpy()
    found = np.full((len(part.x), groups, program.params.channels // groups, *part.x.shape[2:]), np.nan, program.dtype)
    while not engine.done:
        row, column, group = engine.site
        found[:, group, :, row, column] = np.split(engine.params(), groups, axis=1)[group]
        engine.observe(canvas[:, group, :, row, column])
    return found.reshape(len(found), -1, *found.shape[3:])


def check_draws(model: PixelModel, count: int, seed: int, engine: str, threads: int, **settings: Any) -> int:
    """Check that every draw is that of the full pass over the image, or lies at an edge; return the number at edges."""
    image = model.image
    uniforms = np.random.default_rng(seed).random((count, image.channels, image.height, image.width))
    sampled = sample(model, count, uniforms=uniforms, engine=engine, threads=threads, **settings)
    x, at_edges = sampled.levels, 0
    doubled = copy.deepcopy(model).double()
    with inference_mode(model), inference_mode(doubled):
        told = model.conditions.inputs(count=count, **settings)
        params, exact = (m.params(x, m.encode(told, count)) for m in (model, doubled))
        nats, true = torch.zeros(2, count, dtype=torch.float64)
        for channel in range(image.channels):
            log_probs = model.likelihood.conditional(params, x, channel).movedim(1, -1).flatten(0, -2)
            drawn, u = x[:, channel].flatten(), torch.from_numpy(uniforms[:, channel]).flatten()
            other = inverse_cdf(log_probs, u) != drawn
            cdf = log_probs.double().exp().cumsum(1)
            table = model.likelihood.conditional(exact, x, channel).movedim(1, -1).flatten(0, -2)
            allowed = max(TOLERANCE, 4 * float((cdf - table.exp().cumsum(1)).abs().max()))
            to_edge = (cdf[other] - u[other, None]).abs().amin(1)
            assert (to_edge < allowed).all(), f"a draw is not that of the full pass: {to_edge.max()} from an edge"
            at_edges += int(other.sum())
            for total, probs in ((nats, log_probs), (true, table)):
                total += probs.gather(1, drawn[:, None]).double().reshape(count, -1).sum(1)
    allowed = max(TOLERANCE * x[0].numel(), 4 * float((nats - true).abs().max()))
    torch.testing.assert_close(sampled.nats, nats, rtol=TOLERANCE, atol=allowed)
    return at_edges
