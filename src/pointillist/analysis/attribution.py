"""Attribution: the effect of each earlier sub-pixel on the distribution at one pixel position.

Three methods for three questions. A gradient is the effect of an infinitesimal change. Integrated gradients (the extra
`explain`) divide the difference from a baseline among the sub-pixels. Perturbation changes one sub-pixel at a time.
Gradients are those of the network in floating point; perturbation compares the distributions of the query's engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from pointillist.analysis.query import NATS_PER_BIT, ImageQuery
from pointillist.errors import ConfigError, MissingExtraError
from pointillist.images import channel_names
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.visualization import heat_map, png_bytes

_BATCH_SIZE = 32  # copies of an image in one forward


@dataclass(frozen=True, eq=False)
class Attribution:
    """Effect of each sub-pixel before a position on the distribution at that position.

    ```python
    effect = gradient(ImageQuery.of(model, x, label="6"), 3, 4)
    effect.values.shape, effect.unit  # ((1, 8, 8), "bits per level")
    effect.image().save("effect.png")
    ```

    Attributes:
        values: the effect, `[c h w]`; 0 for every sub-pixel on which the model cannot depend.
        signed: whether a negative value speaks against the level that is there.
        method: `gradient`, `integrated gradients` or `perturbation`.
        unit: unit of `values`.
        site: row, column and channel; the channel is None for all channels of the pixel together.
        gap: part of the difference that integrated gradients miss because the number of steps is finite, in bits; None
            for the other methods.
        names: names of the channels.
    """

    values: Float[np.ndarray, "c h w"] = field(repr=False)
    signed: bool
    method: str
    unit: str
    site: tuple[int, int, int | None]
    gap: float | None = None
    names: tuple[str, ...] = ()

    def image(self) -> Image.Image:
        """Draw the map of each channel, on a scale up to its largest value."""
        top = float(np.abs(self.values).max()) or 1.0
        return heat_map(self.values, top=top, unit=self.unit, captions=self.names, both=self.signed)

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


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


def gradient_unit(query: ImageQuery) -> str:
    """Return the unit of `gradient` and `gradient_maps`."""
    return "bits per level" if query.model.image.ordered else "bits per unit of the level's embedding"


def _per_level(query: ImageQuery, gradients: Float[Tensor, "c e h w"]) -> Float[Tensor, "c h w"]:
    """Convert gradients with respect to the network input: per level, or their norm where levels have no direction."""
    image = query.model.image
    return gradients[:, 0] * (2 / (image.levels - 1)) if image.ordered else gradients.square().sum(1).sqrt()


def _gradients(
    query: ImageQuery, sites: Sequence[tuple[int, int]], channel: int | None
) -> Iterator[Float[Tensor, "c e h w"]]:
    """Yield the gradient with respect to the network input for each position: one forward, a backward for each."""
    model, channels = query.model, slice(None) if channel is None else channel
    with query.few_threads(), _gradients_enabled(model):
        canvas = model.canvas(query.x).detach().requires_grad_()
        bits = -query.surprisal_of(query.outputs(canvas), query.x)[0]
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
    baseline: int | Int[Tensor, "c h w"] = 0,
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
    model = query.model
    model.image.check_site(row, column, channel, query.shape[1:])
    if steps < 1:
        raise ConfigError(f"`steps` (={steps}) must be at least 1: 64 is usual.")
    compared = model.check(torch.as_tensor(baseline).expand(query.x.shape))

    def bits_at_site(canvas: Tensor) -> Tensor:
        here = [torch.full((len(canvas),), index, device=model.device) for index in (row, column)]
        bits = -query.site_surprisal(query.outputs(canvas), *here)
        return bits.sum(1) if channel is None else bits[:, channel]

    with _gradients_enabled(model):
        canvas, other = model.canvas(query.x).detach(), model.canvas(compared).detach()
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


def perturbation_influence(query: ImageQuery, row: int, column: int, channel: int | None = None) -> Attribution:
    """Measure how far the distribution at a position moves when one earlier sub-pixel is changed, for each in turn.

    Each earlier sub-pixel takes the likeliest level there besides its own. The value is the Kullback-Leibler divergence
    of the position's distribution for the true image from the distribution that results, in bits. For a whole pixel
    (no channel) the divergences of its channels are added, each given the true channels before it.

    Args:
        row, column, channel: as for `gradient`.

    Raises:
        ConfigError: if the position lies outside the image.

    Example::

        perturbation_influence(ImageQuery.of(model, x), 3, 4).values  # bits [c h w]
    """
    model = query.model
    model.image.check_site(row, column, channel, query.shape[1:])
    channels = range(query.shape[0]) if channel is None else [channel]
    before = np.argwhere(query.earlier(row, column, channels[-1]))
    values = np.zeros(query.shape)
    with inference_mode(model):
        likely = _likeliest_others(query)
        for start in range(0, len(before), _BATCH_SIZE):
            batch = before[start : start + _BATCH_SIZE]
            x = query.x.expand(len(batch) + 1, -1, -1, -1).clone()  # the true image too, computed in the same batch
            for number, (c, r, w) in enumerate(batch):
                x[number, c, r, w] = likely[c, r, w]
            values[tuple(batch.T)] = _divergences(query, x, row, column, channels)
    site, names = (row, column, channel), channel_names(model.image)
    return Attribution(values, False, "perturbation", "bits", site, names=names)


def _likeliest_others(query: ImageQuery) -> Int[Tensor, "c h w"]:
    """Find the likeliest level at each sub-pixel that is not the one that is there."""
    result = torch.zeros(query.x.shape[1:], dtype=torch.int64, device=query.model.device)
    for channel in range(query.shape[0]):
        for rows, log_probs in query.iter_log_probs(query.params, channel):
            observed = query.x[0, channel, rows][None]
            result[channel, rows] = log_probs.scatter(0, observed, -torch.inf).argmax(0)
    return result


def _divergences(
    query: ImageQuery, x: Int[Tensor, "b c h w"], row: int, column: int, channels: Sequence[int]
) -> Float[np.ndarray, " n"]:
    """Compute the divergence of the last image's distributions at a position from each of the others', in bits."""
    here = (slice(None), slice(None), slice(row, row + 1), slice(column, column + 1))
    params, true = query.params_of(x)[here], query.x.expand(len(x), -1, -1, -1)[here]
    total = torch.zeros(len(x) - 1, dtype=torch.float64, device=x.device)
    for channel in channels:
        log_probs = query.likelihood.conditional(params, true, channel)[:, :, 0, 0].double().clamp(min=-1e4)
        log_p = log_probs[-1:]
        total += (log_p.exp() * (log_p - log_probs[:-1])).sum(1)
    result: np.ndarray = (total.clamp(min=0) / NATS_PER_BIT).cpu().numpy()
    return result
