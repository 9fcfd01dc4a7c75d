"""Best of N: sample several candidates for each image, and keep the one that its conditions explain best.

The score is exact, from the model itself: the pointwise mutual information log p(x | conditions) - log p(x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.errors import ConfigError
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.samples import Samples
from pointillist.system import single_threaded

Result = TypeVar("Result", bound=Samples)

_SCORED_AT_ONCE = 16  # images in the pass that scores candidates: sampling itself needs far less memory for each


def check_best_of(config: SamplingConfig, *, conditional: bool, seeded: bool) -> None:
    """Check that candidates differ, and that there is a condition to choose by.

    Raises:
        ConfigError: naming the remedy.
    """
    if config.best_of == 1:
        return
    if not conditional:
        raise ConfigError(
            f"`best_of` (={config.best_of}) chooses by the bits that a condition saves, and there is none: "
            "give a prompt or a label, or leave it out."
        )
    if not seeded:
        raise ConfigError(f"`best_of` (={config.best_of}) draws its candidates from a seed: leave out `uniforms`.")


def best_of(
    model: PixelModel, inputs: ConditionInputs, config: SamplingConfig, draw: Callable[[int], Result]
) -> Result:
    """Keep, for each image, the candidate with the largest conditional gain; two are in memory at a time.

    Args:
        inputs: conditions of the batch.
        config: `best_of` candidates, in its `order`; 1 means no choice, and no gain is computed.
        draw: samples the batch of candidate number k, from 0.

    Example:
        best_of(model, inputs, SamplingConfig(best_of=4), draw).gain
    """
    if config.best_of == 1:
        return draw(0)
    best = _scored(model, inputs, config, draw(0))
    for number in range(1, config.best_of):
        result = _scored(model, inputs, config, draw(number))
        assert result.gain is not None
        assert best.gain is not None
        better = result.gain > best.gain
        best = _merged(best, result, better)
    return best


def _merged(best: Result, result: Result, better: Bool[Tensor, " n"]) -> Result:
    """Take everything that is given for each image from `found` where it is better."""
    values: dict[str, Any] = {}
    for name in (f.name for f in fields(best)):
        new, old = getattr(result, name), getattr(best, name)
        if isinstance(new, Tensor):
            values[name] = torch.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
    return replace(best, **values)


def _scored(model: PixelModel, inputs: ConditionInputs, config: SamplingConfig, samples: Result) -> Result:
    return replace(samples, gain=samples.nats - unconditional_nats(model, samples.levels, inputs, config))


def unconditional_nats(
    model: PixelModel, levels: Int[Tensor, "n c h w"], inputs: ConditionInputs, config: SamplingConfig
) -> Float[Tensor, " n"]:
    """Compute the log-likelihood of each image without its conditions, in nats, float64."""
    order = model.order(config.order)
    scorer = model.scorer(config.engine)
    parts = []
    with inference_mode(model), single_threaded():  # a short pass compared with the sampling
        for start in range(0, len(levels), _SCORED_AT_ONCE):
            rows = slice(start, start + _SCORED_AT_ONCE)
            x = levels[rows].to(model.device)
            maps = scorer.unchecked_log_prob_map(x, inputs[rows].unconditional(), order)
            parts.append(maps.flatten(1).double().sum(1).cpu())
    return torch.cat(parts)
