"""Properties of generation orders: their definition, and that kernels, maps and sites turn as images do."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from pointillist.analysis.evaluation.likelihood import evaluate
from pointillist.images import ImageSpec
from pointillist.images.ordering import get_order
from pointillist.model.pixel_model import PixelModel
from pointillist.nn.functional.convolution import local_convolution
from tests.tolerances import FORMULA

from .strategies import make_model, random_levels, randomise_weights

LOCAL = "locally-masked-pixelcnn"


POSITION = "conditions.position.map"


def local_model(
    orders: str | tuple[str, ...], channels: int = 1, height: int = 3, width: int = 4, layers: int = 3
) -> PixelModel:
    """A randomise_weights model that masks locally."""
    image = ImageSpec.infer((channels, height, width), 3)
    settings = {"layers": layers, "dilations": (1, 2)}
    return randomise_weights(
        make_model(LOCAL, image, settings, orders=(orders,) if isinstance(orders, str) else orders)
    )


def check_raster_of_the_turned_image(name: str, height: int, width: int) -> None:
    """The definition of the eight rasters, with learned positions that turn too: same weights, other orientation."""
    order = get_order(name)
    image = ImageSpec.infer((2, height, width), 5)
    turned = ImageSpec.infer((2, *order.raster_size(height, width)), 5)
    model = randomise_weights(make_model("gated-pixelcnn", image, position=True, labels=True, orders=(name,)))
    raster = make_model("gated-pixelcnn", turned, position=True, labels=True)
    state = model.state_dict()
    raster.load_state_dict({**state, POSITION: order.to_raster(state[POSITION])})
    x = random_levels(model, 2)
    expected = order.from_raster(raster.log_prob_map(order.to_raster(x), "dog"))
    torch.testing.assert_close(model.log_prob_map(x, "dog"), expected)


def check_average(names: tuple[str, ...], model_name: str = "pixelcnn") -> None:
    """Exactly log mean p: all images together have probability one; `each` is the mean of logs, and never better."""
    model = randomise_weights(make_model(model_name, ImageSpec.infer((1, 2, 2), 3), orders=names))
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).reshape(-1, 1, 2, 2)
    found = evaluate(model, every, order="average", batch_size=7)
    with torch.no_grad():
        nats = torch.stack([model.log_prob(every, order=name) for name in names])
    np.testing.assert_allclose(-found.nats_per_image, nats.logsumexp(0) - math.log(len(names)), rtol=FORMULA)
    assert abs(np.exp(-found.nats_per_image).sum() - 1) < 1e-12
    each = evaluate(model, every, order="each")
    np.testing.assert_allclose(each.nats_per_image, -nats.mean(0), rtol=FORMULA)
    assert (each.nats_per_image >= found.nats_per_image - 1e-12).all()
    np.testing.assert_allclose(list(each.nats_by_order.values()), -nats.mean(1), rtol=FORMULA)
    for name, row in zip(names, nats, strict=True):
        one = evaluate(model, every, order=name)
        assert (one.order, list(one.nats_by_order)) == (name, [name])
        np.testing.assert_allclose(one.nats_per_image, -row, rtol=FORMULA)


def check_mixture() -> None:
    """Exactly log mean p over models, each the average of its own orders: all images together have probability one."""
    image = ImageSpec.infer((1, 2, 2), 3)
    models = [
        randomise_weights(make_model("pixelcnn", image, orders=("raster", "raster-tr"))),
        randomise_weights(make_model("gated-pixelcnn", image)),
    ]
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).reshape(-1, 1, 2, 2)
    mixture = evaluate(models, every, order="average")
    single = [evaluate(model, every, order="average") for model in models]
    expected = np.logaddexp(*(-result.nats_per_image for result in single)) - math.log(2)
    np.testing.assert_allclose(-mixture.nats_per_image, expected, rtol=FORMULA)
    assert abs(np.exp(-mixture.nats_per_image).sum() - 1) < FORMULA
    assert mixture.nats_by_model == tuple(result.nats for result in single)
    np.testing.assert_array_equal(evaluate(models[:1], every).nats_per_image, evaluate(models[0], every).nats_per_image)


def by_mask(x: Tensor, kernel: Tensor, bias: Tensor, dilation: int, *, s_curve: bool) -> Tensor:
    """The paper's way: unfold, times a mask of each site and tap, times the kernel."""
    size, (height, width) = kernel.shape[2], x.shape[2:]
    reach = size // 2 * dilation
    rank = get_order("s-curve" if s_curve else "raster").rank(height, width)
    around = np.pad(rank, reach, constant_values=height * width)
    rows, columns = np.indices((height, width))
    mask = np.stack(
        [around[rows + i * dilation, columns + j * dilation] <= rank for i in range(size) for j in range(size)]
    ).reshape(1, 1, size * size, height * width)
    patches = torch.nn.functional.unfold(x, size, dilation=dilation, padding=reach)
    seen = patches.unflatten(1, (x.shape[1], size * size)) * torch.from_numpy(mask)
    out = kernel.flatten(1) @ seen.flatten(1, 2) + bias[:, None]
    return out.unflatten(2, (height, width))


def check_masked(size: tuple[int, int], kernel_size: int, dilation: int, *, s_curve: bool) -> None:
    """Values and gradients of the factored convolution are those of the mask."""
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(4, 3, kernel_size, kernel_size, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    found = local_convolution(x, kernel, bias, dilation, s_curve=s_curve)
    expected = by_mask(x, kernel, bias, dilation, s_curve=s_curve)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    for a, b in zip(
        *(torch.autograd.grad((y * weights).sum(), (x, kernel, bias)) for y in (found, expected)), strict=True
    ):
        torch.testing.assert_close(a, b)
