"""Properties of completion, against exact enumeration of every image of a tiny model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import pointillist as pt
from pointillist.model.pixel_model import PixelModel
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE

from .strategies import random_levels


def every_image(model: PixelModel) -> Tensor:
    """List every image of a model's size, `[levels ** sub-pixels, c, h, w]`."""
    numbers = itertools.product(range(model.image.levels), repeat=math.prod(model.image.shape))
    return torch.tensor(list(numbers)).reshape(-1, *model.image.shape)


def every_mask(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield every mask of an image or of its sub-pixels."""
    for bits in itertools.product((False, True), repeat=math.prod(shape)):
        yield np.array(bits).reshape(shape)


def fillings(model: PixelModel, x: Tensor, mask: np.ndarray) -> Tensor:
    """List every image that agrees with `x` where it is known."""
    unknown = torch.from_numpy(~np.broadcast_to(mask, model.image.shape).copy())
    count = int(unknown.sum())
    found = x.expand(model.image.levels**count, -1, -1, -1).clone()
    numbers = itertools.product(range(model.image.levels), repeat=count)
    found[:, unknown] = torch.tensor(list(numbers), dtype=torch.int64).reshape(len(found), count)
    return found


def exact_conditional(
    model: PixelModel, images: Tensor, mask: np.ndarray, method: str, order: str, **conditions: Any
) -> Tensor:
    """Log-probability of each filling given the known pixels: of the completing model, or by Bayes' rule."""
    with torch.no_grad():
        if method == "known":
            return model.log_prob(images, known=mask, order=order, **conditions).double()
        joint = model.log_prob(images, order=order, **conditions).double()
    return joint - joint.logsumexp(0)


def check_normalised(model: PixelModel, mask: np.ndarray, **conditions: Any) -> None:
    """Check that a completing model gives probability 1 to all fillings of a hole, and none to the known pixels."""
    x = random_levels(model, 1)
    images = fillings(model, x, mask)
    with torch.no_grad():
        maps = model.log_prob_map(images, known=mask, **conditions)
    assert_close(maps.flatten(1).sum(1).double().exp().sum(), torch.ones((), dtype=torch.float64))
    assert not maps[:, torch.from_numpy(np.broadcast_to(mask, model.image.shape).copy())].any()


def check_completions(model: PixelModel, mask: np.ndarray, method: str = "auto", **settings: Any) -> pt.Completions:
    """Check every number of completions of a random image against enumeration.

    Known sub-pixels are kept; nats are the exact conditional, where the method is exact; the weights are what turns the
    draws into the conditional.
    """
    x = random_levels(model, 1)
    found = pt.inpaint(model, x, mask, 3, method, seed=1, **settings)
    whole = np.broadcast_to(mask, model.image.shape)
    assert equal(found.levels[:, whole], x.numpy()[:, whole].repeat(3, 0))
    assert bool((np.diff(found.nats) <= 0).all()), "the most probable completion comes first"
    conditions = {name: value for name, value in settings.items() if name in ("label", "vector")}
    images = fillings(model, x, mask)
    exact = exact_conditional(model, images, mask, found.method, found.order, **conditions)
    rows = [int((images == levels).flatten(1).all(1).nonzero()) for levels in found.torch()]
    if found.method in ("known", "order"):
        assert_close(found.nats, exact[rows], rtol=DOUBLE, atol=DOUBLE)
        assert_close(found.log_weights, np.zeros(3))
        assert abs(found.ess - 3) < 1e-9
    elif found.method == "sequential":
        # p(x) = q(x) w(x) on what comes from the first unknown sub-pixel on
        difference = found.nats - exact[rows].numpy()
        assert_close(difference, difference[:1].repeat(3), rtol=DOUBLE, atol=DOUBLE)
    return found


def total_variation(
    levels: Tensor | np.ndarray, log_weights: Tensor | np.ndarray, images: Tensor, exact: Tensor
) -> float:
    """Distance between the weighted draws and the exact conditional, from 0 to 1."""
    levels, log_weights = torch.as_tensor(levels), torch.as_tensor(log_weights)
    scale = images.max() + 1
    powers = scale ** torch.arange(images[0].numel())
    codes, drawn = (images.flatten(1) * powers).sum(1), (levels.flatten(1) * powers).sum(1)
    ordered, index = codes.sort()
    weights = (log_weights - log_weights.max()).double().exp()
    mass = torch.zeros(len(images), dtype=torch.float64)
    mass.index_add_(0, index[torch.searchsorted(ordered, drawn)], weights / weights.sum())
    return float((mass - exact.exp()).abs().sum() / 2)
