"""Gradients of the network: the effect of each earlier sub-pixel on the distribution at one pixel position.

A gradient is the effect of an infinitesimal change. Integrated gradients (the extra `explain`) divide the difference
from a baseline among the sub-pixels. Both are computed by the network in floating point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.analysis.attribution import Attribution, gradient_unit
from pointillist.analysis.layers import Network
from pointillist.analysis.query import ImageQuery, few_threads
from pointillist.errors import ConfigError, MissingExtraError
from pointillist.images import channel_names
from pointillist.images.array_types import Float
from pointillist.model.pixel_model import PixelModel

_BATCH_SIZE = 32  # copies of an image in one forward


def gradient(query: ImageQuery, row: int, column: int, channel: int | None = None) -> Attribution:
    """Compute the gradient of the log-probability at a position with respect to every earlier sub-pixel.

    Args:
        row, column: the position, from 0.
        channel: None for all channels of the pixel together.

    Returns:
        values in bits per level, with sign. Unordered levels have no direction: there the values are norms of the
        gradient with respect to the embedding of the level, in bits per unit.

    Raises:
        ConfigError: if the position lies outside the image.

    Example::

        gradient(ImageQuery.of(model, x), 3, 4).values  # bits per level [c h w]
    """
    model = query.model
    model.image.check_site(row, column, channel, query.shape[1:])
    (result,) = _gradients(query, [(row, column)], channel)
    values = _per_level(query, result)
    site, names = (row, column, channel), channel_names(model.image)
    unit = gradient_unit(query)
    return Attribution(values.double().cpu().numpy(), model.image.ordered, "gradient", unit, site, names=names)


def gradient_maps(query: ImageQuery, sites: Sequence[tuple[int, int]] | None = None) -> Float[np.ndarray, "n h w"]:
    """Compute `gradient` of whole pixels, as one map for each: its mean over the channels of each earlier pixel.

    Args:
        sites: rows and columns of the pixels; None for all, row by row.

    Returns:
        one map for each of `sites`, with the sign and the unit of `gradient`.

    Example::

        gradient_maps(ImageQuery.of(model, x), [(3, 4)])[0]  # [h w]
    """
    _, height, width = query.shape
    sites = [(r, c) for r in range(height) for c in range(width)] if sites is None else sites
    result = np.zeros((len(sites), height, width), np.float32)
    for index, each in enumerate(_gradients(query, sites, None)):
        result[index] = _per_level(query, each).mean(0).float().cpu().numpy()
    return result


def _per_level(query: ImageQuery, gradients: Float[Tensor, "c e h w"]) -> Float[Tensor, "c h w"]:
    """Convert gradients with respect to the network input: per level, or their norm where levels have no direction."""
    image = query.model.image
    return gradients[:, 0] * (2 / (image.levels - 1)) if image.ordered else gradients.square().sum(1).sqrt()


def _gradients(
    query: ImageQuery, sites: Sequence[tuple[int, int]], channel: int | None
) -> Iterator[Float[Tensor, "c e h w"]]:
    """Yield the gradient with respect to the network input for each position: one forward, a backward for each."""
    network, channels = Network(query), slice(None) if channel is None else channel
    model = network.model
    with few_threads(model, query.shape[1:]), _gradients_enabled(model):
        canvas = model.canvas(network.x).detach().requires_grad_()
        bits = -network.surprisal_of(network.outputs(canvas), network.x)[0]
        for row, column in sites:
            value = bits[channels, row, column].sum()
            (result,) = torch.autograd.grad(value, canvas, retain_graph=True)
            yield result.reshape(query.shape[0], model.config.level_width, *query.shape[1:])


@contextmanager
def _gradients_enabled(model: PixelModel) -> Iterator[None]:
    """Record gradients within the block, but none of the weights, with the model in evaluation mode."""
    training, required = model.training, [p.requires_grad for p in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        model.train(training)
        for parameter, requires_grad in zip(model.parameters(), required, strict=True):
            parameter.requires_grad_(requires_grad)


def integrated_gradients(
    query: ImageQuery,
    row: int,
    column: int,
    channel: int | None = None,
    *,
    baseline: Any = 0,
    steps: int = 64,
) -> Attribution:
    """Divide the change of a position's log-probability from a baseline among the sub-pixels before it.

    Sundararajan et al. 2017, "Axiomatic attribution for deep networks", computed by Captum.

    Args:
        row, column, channel: as for `gradient`.
        baseline: the image to compare with: one level for all sub-pixels, or levels. The position keeps its own level.
        steps: points of the integral (Gauss-Legendre).

    Returns:
        values in bits, with sign. They sum to log2 p given the true image before the position minus log2 p given the
        baseline, up to `gap`.

    Raises:
        MissingExtraError: if captum is not installed.
        ConfigError: if the position lies outside the image, or `steps` is less than 1.
        ShapeError, DataError: if `baseline` is not an image of the model.

    Example::

        integrated_gradients(ImageQuery.of(model, x), 3, 4, baseline=0).values  # bits [c h w]
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise MissingExtraError("Integrated gradients", "explain") from error
    query.model.image.check_site(row, column, channel, query.shape[1:])
    if steps < 1:
        raise ConfigError(f"`steps` (={steps}) must be at least 1: 64 is usual.")
    network = Network(query)
    model = network.model
    compared = model.check(torch.as_tensor(baseline).expand(network.x.shape))

    def bits_at_site(canvas: Tensor) -> Tensor:
        here = [torch.full((len(canvas),), index, device=model.device) for index in (row, column)]
        bits = -network.site_surprisal(network.outputs(canvas), *here)
        return bits.sum(1) if channel is None else bits[:, channel]

    with _gradients_enabled(model):
        canvas, other = model.canvas(network.x).detach(), model.canvas(compared).detach()
        result, gap = IntegratedGradients(bits_at_site).attribute(
            canvas,
            other,
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=_BATCH_SIZE,
            return_convergence_delta=True,
        )
    values = result.reshape(query.shape[0], model.config.level_width, *query.shape[1:]).sum(1).double().cpu().numpy()
    site, names = (row, column, channel), channel_names(model.image)
    return Attribution(values, True, "integrated gradients", "bits", site, float(gap), names)
