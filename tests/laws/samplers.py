"""The law of samplers: every engine paints one image from the same uniforms, and draws what the likelihood says."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.loop import ENGINES, ObservedPixels, autoregressive_loop

from .causal import places
from .likelihood import check_frequencies
from .strategies import random_levels
from .walking import engine, walk

DISTINCT = tuple(e for e in ENGINES if e != "auto")
WALKING = tuple(e for e in DISTINCT if e != "cuda-jacobi")
"""Those that walk in a way of their own, where they stop at each sub-pixel."""


def check_engine_equals_full(
    model: PixelModel, height: int, width: int, told: ConditionInputs | None = None, count: int = 2
) -> None:
    """Teacher-forced: at every sub-pixel of true images the engine's parameters are those of the full pass."""
    x = random_levels(model, count, height, width)
    groups = model.ports.groups
    with inference_mode(model):
        condition = model.condition(told, count, (height, width))
        full = model.params(x, condition).unflatten(1, (groups, -1)).numpy()
        for name in WALKING:
            sites = []
            for (row, column, group), found in walk(model, condition, x, engine(name)):
                where = f"{name} at {(row, column, group)} of {height}x{width}"
                np.testing.assert_allclose(found, full[:, group, :, row, column], rtol=1e-9, atol=1e-10, err_msg=where)
                sites.append((row, column, group))
            assert sites == places(model, height, width), f"{name} does not walk in the order of painting"


def check_same_image(model: PixelModel, height: int, width: int, count: int = 3, seed: int = 0, **how: Any) -> None:
    """From the same uniforms every engine paints the image of the naive one."""
    shape = (count, model.image.channels, height, width)
    uniforms = np.random.default_rng(seed).random(shape)
    painted = {e: sample(model, count, uniforms=uniforms, engine=e, size=(height, width), **how) for e in DISTINCT}
    reference = painted["naive"]
    for name, found in painted.items():
        assert torch.equal(found.levels, reference.levels), f"{name} and naive paint other images"
        torch.testing.assert_close(found.nats, reference.nats)


def check_painted_by_full_forwards(model: PixelModel, height: int, width: int, count: int = 2, seed: int = 0) -> None:
    """The reference without engine, stage or known site: a full forward of everything for every sub-pixel, in order."""
    uniforms = torch.from_numpy(np.random.default_rng(seed).random((count, model.image.channels, height, width)))
    x = random_levels(model, count, height, width)  # what is not painted yet must not matter
    with inference_mode(model):
        condition = model.condition(model.told(None, count, size=(height, width)), count, (height, width))
        for site in model.places(height, width).argsort(axis=None):
            row, column = divmod(int(site), width)
            for channel in range(model.image.channels):
                table = model.likelihood.conditional(model.params(x, condition), x, channel)[:, :, row, column]
                x[:, channel, row, column] = inverse_cdf(table, uniforms[:, channel, row, column])
    for name in DISTINCT:
        painted = sample(model, count, uniforms=uniforms, engine=name, size=(height, width))
        assert torch.equal(painted.levels, x), f"{name} paints another image than full forwards"


def check_scored_as_painted(model: PixelModel, height: int, width: int, engine: str = "auto", **how: Any) -> None:
    """What was painted is on the grid of levels, and `.nats` is its likelihood under the model at guidance 1 (P12)."""
    painted = sample(model, 4, seed=3, engine=engine, size=(height, width), **how)
    assert painted.levels.dtype == torch.int64
    assert painted.levels.shape == (4, model.image.channels, height, width)
    assert 0 <= int(painted.levels.min()) <= int(painted.levels.max()) < model.image.levels
    with torch.no_grad():
        asked = {name: how[name] for name in ("label", "text", "attributes", "vector", "hint") if name in how}
        expected = model.log_prob(painted.levels, **asked)
    torch.testing.assert_close(painted.nats, expected.double(), rtol=1e-9, atol=1e-9)


def check_painted_frequencies(model: PixelModel, height: int, width: int, engine: str, draws: int = 3000) -> None:
    """Few pixels, many draws: images are painted as often as `log_prob` says (P12)."""
    image = model.image
    dims = image.channels * height * width
    every = torch.tensor(list(itertools.product(range(image.levels), repeat=dims)))
    with torch.no_grad():
        probs = model.log_prob(every.reshape(-1, image.channels, height, width)).exp()
    levels = sample(model, draws, seed=5, engine=engine, size=(height, width), batch_size=draws).levels
    index = (levels.flatten(1) * image.levels ** torch.arange(dims - 1, -1, -1)).sum(1)
    check_frequencies(index, probs)


def check_unroll_is_given_conditionals(model: PixelModel, height: int, width: int) -> None:
    """The table that `choose` is given at a sub-pixel holds, at the true level, that sub-pixel's `log_prob_map`."""
    x = random_levels(model, 2, height, width)
    found = torch.zeros(x.shape, dtype=torch.float64)

    def choose(site: Any, log_probs: Tensor) -> Tensor:
        true = x[:, site.channel, site.row, site.column]
        found[:, site.channel, site.row, site.column] = log_probs.gather(1, true[:, None])[:, 0]
        return true

    with inference_mode(model):
        condition = model.condition(None, 2, (height, width))
        for name in WALKING:
            assert torch.equal(
                autoregressive_loop(model, condition, choose, (2, height, width), SamplingConfig(engine=name)), x
            )
            torch.testing.assert_close(found, model.log_prob_map(x), rtol=1e-9, atol=1e-9)


def check_known_is_kept(model: PixelModel, height: int, width: int) -> None:
    """Known sites are kept and not asked; the others are asked once each, in order, and given their conditionals."""
    x, mask = random_levels(model, 2, height, width), torch.rand(height, width) < 0.5
    noise = torch.where(mask, x, random_levels(model, 2, height, width))  # what lies at unknown sites is not read
    for name in WALKING:
        found = torch.zeros(x.shape, dtype=torch.float64)
        asked: list[tuple[int, int, int]] = []

        def choose(site: Any, log_probs: Tensor, found: Tensor = found, asked: list[Any] = asked) -> Tensor:
            true = x[:, site.channel, site.row, site.column]
            found[:, site.channel, site.row, site.column] = log_probs.gather(1, true[:, None])[:, 0]
            asked.append((site.row, site.column, site.channel))
            return true

        with inference_mode(model):
            condition = model.condition(None, 2, (height, width))
            painted = autoregressive_loop(
                model,
                condition,
                choose,
                (2, height, width),
                SamplingConfig(engine=name),
                known=ObservedPixels(noise, mask),
            )
            assert torch.equal(painted, x)
            torch.testing.assert_close(found, model.log_prob_map(x) * ~mask, rtol=1e-9, atol=1e-9)
        channels = range(model.image.channels)
        order = model.places(height, width).argsort(axis=None)
        sites = [(int(s) // width, int(s) % width) for s in order if not mask.flatten()[s]]
        assert asked == [(*site, channel) for site in sites for channel in channels]
