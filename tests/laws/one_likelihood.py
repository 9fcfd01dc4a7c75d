"""Property: `log_prob`, `log_prob_map`, `sample().nats`, `evaluate` and `explain` report one likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.analysis.query import ImageQuery
from pointillist.analysis.report.explanation import explain
from pointillist.evaluation.likelihood import evaluate
from pointillist.model.batches import DatasetConditions
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from tests.datasets import dataset_of

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
        samples = sample(model, count, seed=1, engine="cpu", **how)
        _same("`log_prob_map` of samples", check_scores_agree(model, samples.levels, how, rtol), samples.nats, rtol)
        samples = sample(model, count, seed=2, engine="cpu", **TRANSFORMED, **how)
        _same("`sample` with guidance", _log_prob(model, samples.levels, how), samples.nats, rtol)


def check_scores_agree(model: PixelModel, x: Tensor, how: Mapping[str, Any], rtol: float) -> Tensor:
    """Check the functions that score given images, and return the log-likelihood of each in nats, `[n]`."""
    nats = _log_prob(model, x, how)
    with torch.no_grad():
        maps = model.log_prob_map(x, **how)
    _same("`log_prob_map`", nats, maps.double().flatten(1).sum(1), rtol)
    found = evaluate(model, x, batch_size=max(1, len(x) - 1), **how)
    _same("`evaluate`", nats, -found.nats_per_image, rtol)
    _same("the mean of `evaluate`", nats.mean(), -found.nats, rtol)
    _same("bits per dimension of `evaluate`", nats.mean() / math.log(2), -found.bits_per_dim * x[0].numel(), rtol)
    explained = [explain(model, x[i], **_of_image(how, i)).maps.bits for i in range(len(x))]
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
    inputs = DatasetConditions(model, data)(data.batch(index, seed=0))
    explained = [
        ImageQuery(model, x[i : i + 1], inputs[i : i + 1], model.order()).surprisal.sum() for i in range(count)
    ]
    _same("`explain` of a data set", nats, -np.array(explained) * math.log(2), rtol)


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
