"""What these tests share: small models, and their distributions by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import Tensor

import pointillist as pt
from pointillist.distributions.kinds import LikelihoodName
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from tests.laws.strategies import make_model, randomise_weights

# grey, RGB by sub-pixels, RGB tied by a mixture, names without an order
KINDS: dict[str, tuple[ImageSpec, LikelihoodName]] = {
    "grey": (ImageSpec.infer((1, 2, 2), 3), "auto"),
    "binary": (ImageSpec.infer((1, 2, 3), 2), "bernoulli"),
    "rgb": (ImageSpec.infer((3, 1, 2), 3), "auto"),
    "mixture": (ImageSpec.infer((3, 2, 1), 3), "mixture"),
    "codes": (ImageSpec(channels=2, height=1, width=2, levels=3, ordered=False), "auto"),
}


def tiny(kind: str, name: str = "gated-pixelcnn", *, labels: bool = False) -> PixelModel:
    """A model of a kind with random weights, in float64."""
    image, likelihood = KINDS[kind]
    return randomise_weights(make_model(name, image, {"layers": 2}, likelihood=likelihood, labels=labels))


def grey(height: int, width: int, levels: int = 5, name: str = "gated-pixelcnn", **more: object) -> PixelModel:
    """A grey model of a size."""
    image = pt.ImageSpec.infer((1, height, width), levels)
    return randomise_weights(make_model(name, image, {"layers": 2}, **more))  # type: ignore[arg-type]


def every_image(model: PixelModel) -> Tensor:
    """All images of a model, `[n c h w]`."""
    image = model.image
    return torch.tensor(list(product(range(image.levels), repeat=image.dims))).reshape(-1, *image.shape)


def conditional_by_enumeration(model: PixelModel, x: np.ndarray, place: tuple[int, int, int]) -> np.ndarray:
    """p(level | sub-pixels before the place), from the probabilities of all images alone."""
    c, r, w = place
    channels, height, width = x.shape
    order = [(cc, rr, ww) for rr in range(height) for ww in range(width) for cc in range(channels)]
    images = every_image(model)
    with torch.no_grad():
        p = model.log_prob(images).exp()
    keep = torch.ones(len(images), dtype=torch.bool)
    for before in order[: order.index(place)]:
        keep &= images[(slice(None), *before)] == int(x[before])
    sums = torch.stack([p[keep & (images[:, c, r, w] == level)].sum() for level in range(model.image.levels)])
    found: np.ndarray = (sums / sums.sum()).numpy()
    return found
