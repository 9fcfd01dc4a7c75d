"""Property: `log_prob`, `log_prob_map`, `sample().nats`, `evaluate` and `explain` report one likelihood.

In floating point they agree up to rounding, and with an integer program to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.analysis.evaluation.likelihood import evaluate
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery
from pointillist.analysis.report.explanation import explain
from pointillist.engine.head.frequencies import log_probs
from pointillist.model.batches import dataset_conditions
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from tests.datasets import dataset_of
from tests.integer_draws import steps_of

from .strategies import random_levels

EXACT = 1e-9
"""Relative tolerance in float64."""
SINGLE = 1e-4
"""Relative tolerance in float32."""
TRANSFORMED: Mapping[str, float] = {"guidance": 2.0, "temperature": 0.8, "top_p": 0.9}
"""A distribution to sample from that is not the model's."""


def check_one_likelihood(
    model: PixelModel, conditions: Mapping[str, Any], count: int = 2, *, rtol: float = EXACT
) -> None:
    """Check random images and samples in each of the model's orders: all functions give one number for each image.

    `.nats` is the log-likelihood at guidance 1 and temperature 1, however the image was sampled. The engine computes in
    floating point, as `log_prob` does: `check_scored_as_sampled` and `check_same_image` compare the others with it.

    Args:
        conditions: keywords of `log_prob` for `count` images, each a value for each image.
        rtol: relative tolerance.
    """
    for order in model.config.orders:
        how = {**conditions, "order": order}
        check_scores_agree(model, random_levels(model, count), how, rtol)
        samples = sample(model, count, seed=1, engine="numpy", **how)
        _same("`log_prob_map` of samples", check_scores_agree(model, samples.torch(), how, rtol), samples.nats, rtol)
        transformed = _transformed(model, conditions, count)
        samples = sample(model, count, seed=2, engine="numpy", **transformed, **how)
        _same("`sample` with guidance", _log_prob(model, samples.torch(), how), samples.nats, rtol)


def _transformed(model: PixelModel, conditions: Mapping[str, Any], count: int) -> dict[str, float]:
    """Return `TRANSFORMED`, without guidance where there is no condition that it could follow."""
    conditional = model.conditions.inputs(count=count, **conditions).is_conditional
    return {k: v for k, v in TRANSFORMED.items() if conditional or k != "guidance"}


def check_scores_agree(model: PixelModel, x: Tensor, how: Mapping[str, Any], rtol: float) -> Tensor:
    """Check the functions that score given images, and return the log-likelihood of each in nats, `[n]`."""
    nats = _log_prob(model, x, how)
    with torch.no_grad():
        maps = model.log_prob_map(x, **how)
    _same("`log_prob_map`", nats, maps.double().flatten(1).sum(1), rtol)
    found = evaluate(model, x, batch_size=max(1, len(x) - 1), engine="torch", **how)
    _same("`evaluate`", nats, -found.nats_per_image, rtol)
    _same("the mean of `evaluate`", nats.mean(), -found.nats, rtol)
    _same("bits per dimension of `evaluate`", nats.mean() / math.log(2), -found.bits_per_dim * x[0].numel(), rtol)
    explained = [explain(model, x[i], engine="torch", **_of_image(how, i)).maps.bits for i in range(len(x))]
    _same("`explain`", nats, -np.array(explained) * math.log(2), rtol)
    return nats


def check_data_set(model: PixelModel, count: int = 5, rtol: float = EXACT) -> None:
    """Check that a data set of labels and captions is evaluated and explained as the same values given by hand."""
    x, classes = random_levels(model, count), model.config.classes
    labels = [i % len(classes) for i in range(count)]
    texts = [f"a red dragon, number {i}" for i in range(count)]
    data = dataset_of(x, labels, texts=texts, classes=classes, spec=model.image)
    nats = _log_prob(model, x, {"label": labels, "text": texts})
    _same("`evaluate` of a data set", nats, -evaluate(model, data, batch_size=2).nats_per_image, rtol)
    index = np.arange(count)
    inputs = dataset_conditions(model, data).from_batch(data.batch(index, seed=0))
    explained = [
        ImageQuery(model, x[i : i + 1].numpy(), inputs[i : i + 1], model.order()).surprisal.sum() for i in range(count)
    ]
    _same("`explain` of a data set", nats, -np.array(explained) * math.log(2), rtol)


def check_one_integer_likelihood(model: PixelModel, conditions: Mapping[str, Any], count: int = 2) -> None:
    """Check a model with an integer program: by default all functions speak of it, and give one number to the bit.

    They are `sample`, however it draws, `evaluate`, `explain`, the distribution of a sub-pixel, and the frequencies
    that a decoder sees, one after the other.

    Args:
        conditions: keywords of `log_prob` for `count` images, each a value for each image.
    """
    for name in model.config.orders:
        how = {**conditions, "order": name}
        check_integer_scores_agree(model, random_levels(model, count), how)
        for settings in ({}, {"batch_size": 1, "threads": 1}, _transformed(model, conditions, count)):
            samples = sample(model, count, seed=1, **settings, **how)
            assert samples.engine == "integer"
            nats = check_integer_scores_agree(model, samples.levels, how)
            _identical("`sample().nats`", samples.nats, nats)


def check_integer_scores_agree(model: PixelModel, x: Any, how: Mapping[str, Any]) -> np.ndarray:
    """Check the functions that score given images by the integer program, and return the nats of each, `[n]`."""
    integer_model = model.integer_model()
    nats, maps = integer_model.log_prob(x, **how), integer_model.log_prob_map(x, **how)
    result = evaluate(model, x, batch_size=max(1, len(x) - 1), **how)
    assert result.engine == "integer"
    _identical("`evaluate`", -result.nats_per_image, nats)
    for i in range(len(x)):
        explanation = explain(model, x[i], **_of_image(how, i))
        _identical("`explain`", explanation.maps.bits, -nats[i] / NATS_PER_BIT)
        _identical("the surprisal of `explain`", explanation.maps.surprisal, -maps[i] / NATS_PER_BIT)
        channel, row, column = (int(position) for position in np.unravel_index(7 * i % maps[i].size, maps[i].shape))
        here = explanation.distribution(row, column, channel)
        _identical("the distribution of a sub-pixel", here.log_probs[here.observed], maps[i, channel, row, column])
        total = 2 ** integer_model.programs[0].head.precision
        _identical("the sum of its frequencies", np.rint(total * np.exp(here.log_probs)).sum(), total)
        _identical("frequencies that a decoder sees", decoded_log_prob_map(explanation.query), maps[i])
    return nats


def decoded_log_prob_map(query: ImageQuery) -> np.ndarray:
    """Return the log-probabilities of an image from the frequencies of one sub-pixel after the other."""
    integer_model, size = query.model.integer_model(), query.shape[1:]
    program, levels = integer_model.program(query.order), query.order.array_to_raster(query.levels[None])
    inputs = integer_model.encode(query.conditions, 1, size, query.order)
    steps = steps_of(integer_model, 1, size, inputs, query.order)
    sizes = np.zeros_like(levels)
    while not steps.done:
        row, column, channel = steps.site
        level = levels[:, channel, row, column]
        sizes[:, channel, row, column] = steps.frequencies()[0, level]
        steps.observe(level)
    return query.order.array_from_raster(log_probs(sizes, program.head.precision))[0]


def _identical(name: str, value: Any, expected: Any) -> None:
    message = f"{name} is not that of the integer program to the bit"
    np.testing.assert_array_equal(np.asarray(value), np.asarray(expected), err_msg=message)


def _log_prob(model: PixelModel, x: Tensor, how: Mapping[str, Any]) -> Tensor:
    with torch.no_grad():
        return model.log_prob(x, **how).double()


def _of_image(how: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Take the conditions of one image of a batch."""
    found: dict[str, Any] = {}
    for name, value in how.items():
        if isinstance(value, Mapping):
            found[name] = {key: values[index : index + 1] for key, values in value.items()}
        else:
            found[name] = value if isinstance(value, str) else value[index : index + 1]
    return found


def _same(name: str, expected: Any, found: Any, rtol: float) -> None:
    message = f"{name} and `log_prob` report different likelihoods"
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=rtol, err_msg=message)
