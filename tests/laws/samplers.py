"""Properties of samplers: every engine gives one image from the same uniforms, and draws what the likelihood says."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.engine.weights import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.sampling.config import ENGINES, SamplingConfig
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE

from .causal import sub_pixels
from .likelihood import check_frequencies
from .strategies import random_levels
from .teacher_forcing import engine, teacher_forced

# the integer engine has a distribution of its own: tests/portable
DISTINCT_ENGINES = tuple(e for e in ENGINES if e not in ("auto", "integer"))


def check_engine_equals_full(
    model: PixelModel, height: int, width: int, inputs: ConditionInputs | None = None, count: int = 2
) -> None:
    """Check by teacher forcing that the engine's parameters at every sub-pixel are those of the full pass."""
    x = random_levels(model, count, height, width)
    groups = model.dims.groups
    with inference_mode(model):
        condition = model.encode(inputs, count, (height, width))
        full = model.outputs(model.canvas(x), condition).unflatten(1, (groups, -1)).numpy()
        for name in DISTINCT_ENGINES:
            sites = []
            for (row, column, group), found in teacher_forced(model, condition, x, engine(name)):
                where = f"{name} at {(row, column, group)} of {height}x{width}"
                np.testing.assert_allclose(
                    found, full[:, group, :, row, column], rtol=DOUBLE, atol=DOUBLE, err_msg=where
                )
                sites.append((row, column, group))
            assert sites == sub_pixels(model, height, width), f"{name} does not follow the generation order"


def check_same_image(model: PixelModel, height: int, width: int, count: int = 3, seed: int = 0, **how: Any) -> None:
    """Check that every engine gives the image of the naive one from the same uniforms."""
    shape = (count, model.image.channels, height, width)
    uniforms = np.random.default_rng(seed).random(shape)
    samples = {
        e: sample(model, count, uniforms=uniforms, engine=e, size=(height, width), **how) for e in DISTINCT_ENGINES
    }
    reference = samples["naive"]
    for name, found in samples.items():
        assert equal(found.levels, reference.levels), f"{name} and naive give different images"
        assert_close(found.nats, reference.nats)


def check_sampled_by_full_forwards(model: PixelModel, height: int, width: int, count: int = 2, seed: int = 0) -> None:
    """Check against a reference without engine or stage: a full forward for every sub-pixel, in order."""
    uniforms = torch.from_numpy(np.random.default_rng(seed).random((count, model.image.channels, height, width)))
    x = random_levels(model, count, height, width)  # what is not sampled yet must not matter
    with inference_mode(model):
        condition = model.encode(model.conditions.inputs(None, count, size=(height, width)), count, (height, width))
        for site in model.generation_rank(height, width).argsort(axis=None):
            row, column = divmod(int(site), width)
            for channel in range(model.image.channels):
                table = model.likelihood.conditional(model.outputs(model.canvas(x), condition), x, channel)[
                    :, :, row, column
                ]
                x[:, channel, row, column] = inverse_cdf(table, uniforms[:, channel, row, column])
    for name in DISTINCT_ENGINES:
        samples = sample(model, count, uniforms=uniforms, engine=name, size=(height, width))
        assert equal(samples.levels, x), f"{name} gives another image than full forwards"


def check_scored_as_sampled(model: PixelModel, height: int, width: int, engine: str = "auto", **how: Any) -> None:
    """Check that samples are levels, and that `.nats` is their log-likelihood at guidance 1 (P12)."""
    samples = sample(model, 4, seed=3, engine=engine, size=(height, width), **how)
    assert samples.levels.dtype == np.int64
    assert samples.levels.shape == (4, model.image.channels, height, width)
    assert 0 <= int(samples.levels.min()) <= int(samples.levels.max()) < model.image.levels
    with torch.no_grad():
        conditions = {name: how[name] for name in ("label", "text", "attributes", "vector", "hint") if name in how}
        expected = model.log_prob(samples.levels, **conditions)
    assert_close(samples.nats, expected.double(), rtol=DOUBLE, atol=DOUBLE)


def check_sample_frequencies(model: PixelModel, height: int, width: int, engine: str, draws: int = 3000) -> None:
    """Check on few pixels, with many draws, that images are sampled as often as `log_prob` says (P12)."""
    image = model.image
    dims = image.channels * height * width
    every = torch.tensor(list(itertools.product(range(image.levels), repeat=dims)))
    with torch.no_grad():
        probs = model.log_prob(every.reshape(-1, image.channels, height, width)).exp()
    levels = sample(model, draws, seed=5, engine=engine, size=(height, width), batch_size=draws).torch()
    index = (levels.flatten(1) * image.levels ** torch.arange(dims - 1, -1, -1)).sum(1)
    check_frequencies(index, probs)


def check_loop_gets_conditionals(model: PixelModel, height: int, width: int) -> None:
    """Check that the table which `choose` gets at a sub-pixel holds `log_prob_map` at the true level."""
    x = random_levels(model, 2, height, width)
    found = torch.zeros(x.shape, dtype=torch.float64)

    def choose(site: Any, log_probs: Tensor) -> Tensor:
        true = x[:, site.channel, site.row, site.column]
        found[:, site.channel, site.row, site.column] = log_probs.gather(1, true[:, None])[:, 0]
        return true

    with inference_mode(model):
        condition = model.encode(None, 2, (height, width))
        for name in DISTINCT_ENGINES:
            assert equal(
                autoregressive_loop(model, condition, choose, (2, height, width), SamplingConfig(engine=name)), x
            )
            assert_close(found, model.log_prob_map(x), rtol=DOUBLE, atol=DOUBLE)


def check_known_is_kept(model: PixelModel, height: int, width: int) -> None:
    """Check that known sites are kept, and the others chosen once each, in order, from their conditionals."""
    x, mask = random_levels(model, 2, height, width), torch.rand(height, width) < 0.5
    noise = torch.where(mask, x, random_levels(model, 2, height, width))  # what lies at unknown sites is not read
    for name in DISTINCT_ENGINES:
        found = torch.zeros(x.shape, dtype=torch.float64)
        visited: list[tuple[int, int, int]] = []

        def choose(site: Any, log_probs: Tensor, found: Tensor = found, visited: list[Any] = visited) -> Tensor:
            true = x[:, site.channel, site.row, site.column]
            found[:, site.channel, site.row, site.column] = log_probs.gather(1, true[:, None])[:, 0]
            visited.append((site.row, site.column, site.channel))
            return true

        with inference_mode(model):
            condition = model.encode(None, 2, (height, width))
            samples = autoregressive_loop(
                model,
                condition,
                choose,
                (2, height, width),
                SamplingConfig(engine=name),
                known=ObservedPixels(noise, mask),
            )
            assert equal(samples, x)
            assert_close(found, model.log_prob_map(x) * ~mask, rtol=DOUBLE, atol=DOUBLE)
        channels = range(model.image.channels)
        order = model.generation_rank(height, width).argsort(axis=None)
        sites = [(int(s) // width, int(s) % width) for s in order if not mask.flatten()[s]]
        assert visited == [(*site, channel) for site in sites for channel in channels]
