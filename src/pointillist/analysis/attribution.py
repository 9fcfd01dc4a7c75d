"""What a pixel looked at: gradients, integrated gradients, and what happens when an earlier sub-pixel is another.

Three answers to three questions. A gradient says how an infinitely small change would act; integrated gradients (the
extra `explain`) divide the whole difference to a baseline among the sub-pixels; influence changes each for real.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, QueryKwargs
from pointillist.conditioning import Label
from pointillist.errors import ConfigError, MissingExtraError
from pointillist.images import channel_names
from pointillist.model.arguments import check_site
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.visualization import heat_map, png_bytes

_SITES = 32  # copies of an image that are computed at once, at most


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each sub-pixel before a site mattered to it.

    Attributes:
        values: `[c h w]`; 0 where the model cannot look.
        signed: whether a value below 0 spoke against the level that is there.
        method: `gradient`, `integrated gradients` or `perturbation_influence`.
        unit: of `values`.
        site: row, column and channel; None for all channels of the pixel together.
        gap: how much of the difference that integrated gradients divide was lost to the finite number of steps, in
            bits; None for other methods.
        names: of the channels.
    """

    values: Float[np.ndarray, "c h w"] = field(repr=False)
    signed: bool
    method: str
    unit: str
    site: tuple[int, int, int | None]
    gap: float | None = None
    names: tuple[str, ...] = ()

    def image(self) -> Image.Image:
        """The map of each channel, on a scale up to its largest value."""
        top = float(np.abs(self.values).max()) or 1.0
        return heat_map(self.values, top=top, unit=self.unit, captions=self.names, both=self.signed)

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def gradient(
    model: PixelModel,
    image: Any,
    row: int,
    column: int,
    channel: int | None = None,
    label: Label = None,
    text: Any = None,
    **further: Unpack[QueryKwargs],
) -> Attribution:
    """Gradient of the log-probability of what is at a site, in bits, with respect to every earlier sub-pixel.

    Args:
        image, label, text, further: as for `bit_maps`.
        channel: None for all channels of the pixel together.

    Returns:
        bits a level, with sign; for unordered levels, which have no direction, the size of the gradient of the vector
        that stands for the level, in bits a unit.

    Raises:
        ConfigError, ShapeError, DataError: if the place, the image or the label do not fit.
    """
    return gradient_of(ImageQuery.of(model, image, label, text, **further), row, column, channel)


def gradient_of(asked: ImageQuery, row: int, column: int, channel: int | None = None) -> Attribution:
    """The gradient of a question that is checked."""
    model = asked.model
    check_site(asked.model, row, column, channel, asked.shape[1:])
    (found,) = _gradients(asked, [(row, column)], channel)
    if model.image.ordered:
        values, unit = found[:, 0] * (2 / (model.image.levels - 1)), "bits a level"
    else:
        values, unit = found.square().sum(1).sqrt(), "bits a unit of the level's vector"
    site, names = (row, column, channel), channel_names(model.image)
    return Attribution(values.double().cpu().numpy(), model.image.ordered, "gradient", unit, site, names=names)


def gradient_sizes(
    model: PixelModel,
    image: Any,
    sites: list[tuple[int, int]] | None = None,
    label: Label = None,
    text: Any = None,
    **further: Unpack[QueryKwargs],
) -> Float[np.ndarray, "n h w"]:
    """Size of the gradient of the log-probability of whole pixels, over the channels of each earlier pixel.

    Args:
        sites: rows and columns of the pixels; None for all, row by row.

    Returns:
        the root of the summed squares, in bits a unit of the canvas.
    """
    return gradient_sizes_of(ImageQuery.of(model, image, label, text, **further), sites)


def gradient_sizes_of(asked: ImageQuery, sites: list[tuple[int, int]] | None = None) -> Float[np.ndarray, "n h w"]:
    """Gradient sizes of a question that is checked."""
    _, height, width = asked.shape
    sites = [(r, c) for r in range(height) for c in range(width)] if sites is None else sites
    found = np.zeros((len(sites), height, width), np.float32)
    for place, each in enumerate(_gradients(asked, sites, None)):
        found[place] = each.square().sum((0, 1)).sqrt().float().cpu().numpy()
    return found


def _gradients(
    asked: ImageQuery, sites: list[tuple[int, int]], channel: int | None
) -> Iterator[Float[Tensor, "c e h w"]]:
    """Gradient with respect to the canvas for each site: one forward of the image, and a backward a site."""
    model, channels = asked.model, slice(None) if channel is None else channel
    with _differentiating(model):
        canvas = model.canvas(asked.x).detach().requires_grad_()
        bits = -asked.surprise(asked.outputs(canvas), asked.x)[0]
        for row, column in sites:
            value = bits[channels, row, column].sum()
            (found,) = torch.autograd.grad(value, canvas, retain_graph=True)
            yield found.reshape(asked.shape[0], model.config.level_width, *asked.shape[1:])


@contextmanager
def _differentiating(model: PixelModel) -> Iterator[None]:
    """Within the block gradients are recorded, but none of the weights, and the model is in evaluation mode."""
    training, wanted = model.training, [p.requires_grad for p in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        model.train(training)
        for parameter, asked_for in zip(model.parameters(), wanted, strict=True):
            parameter.requires_grad_(asked_for)


def integrated_gradients(
    model: PixelModel,
    image: Any,
    row: int,
    column: int,
    channel: int | None = None,
    label: Label = None,
    text: Any = None,
    *,
    baseline: int | Int[Tensor, "c h w"] = 0,
    steps: int = 64,
    **further: Unpack[QueryKwargs],
) -> Attribution:
    """Divide the change of a site's log-probability among the sub-pixels before it (Sundararajan et al. 2017; Captum).

    Args:
        baseline: the image to compare with: a level for all sub-pixels, or levels. The site keeps its own level.
        steps: of the integral (Gauss-Legendre).

    Returns:
        bits, with sign; they add up to log2 p with the true image before it less log2 p with the baseline, but for
        `gap`.

    Raises:
        MissingExtraError: if captum is not installed.
        ConfigError, ShapeError, DataError: as `gradient`.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise MissingExtraError("Integrated gradients", "explain") from error
    asked = ImageQuery.of(model, image, label, text, **further)
    check_site(asked.model, row, column, channel, asked.shape[1:])
    if steps < 1:
        raise ConfigError(f"`steps` (={steps}) must be at least 1: 64 is usual.")
    compared = model.check(torch.as_tensor(baseline).expand(asked.x.shape))

    def bits_at_site(canvas: Tensor) -> Tensor:
        here = [torch.full((len(canvas),), place, device=model.device) for place in (row, column)]
        bits = -asked.at(asked.outputs(canvas), *here)
        return bits.sum(1) if channel is None else bits[:, channel]

    with _differentiating(model):
        canvas, other = model.canvas(asked.x).detach(), model.canvas(compared).detach()
        found, gap = IntegratedGradients(bits_at_site).attribute(
            canvas, other, n_steps=steps, method="gausslegendre", internal_batch_size=_SITES,
            return_convergence_delta=True,
        )  # fmt: skip
    values = found.reshape(asked.shape[0], model.config.level_width, *asked.shape[1:]).sum(1).double().cpu().numpy()
    site, names = (row, column, channel), channel_names(model.image)
    return Attribution(values, True, "integrated gradients", "bits", site, float(gap), names)


def perturbation_influence(
    model: PixelModel,
    image: Any,
    row: int,
    column: int,
    channel: int | None = None,
    label: Label = None,
    text: Any = None,
    **further: Unpack[QueryKwargs],
) -> Attribution:
    """How far the distribution at a site moves when one earlier sub-pixel is another: perturbation, one at a time.

    Each earlier sub-pixel takes the level that the model held likeliest there besides the one that is there; the
    answer is the Kullback-Leibler divergence from the site's true distribution to the one that results, in bits. For a
    whole pixel (no channel) those of its channels are added, each given the true channels before it.

    Args, Raises: as `gradient`.
    """
    asked = ImageQuery.of(model, image, label, text, **further)
    check_site(asked.model, row, column, channel, asked.shape[1:])
    channels = range(asked.shape[0]) if channel is None else [channel]
    before = np.argwhere(asked.earlier(row, column, channels[-1]))
    values = np.zeros(asked.shape)
    with inference_mode(model):
        likely = _likeliest_others(asked)
        for start in range(0, len(before), _SITES):
            part = before[start : start + _SITES]
            x = asked.x.expand(len(part) + 1, -1, -1, -1).clone()  # the true image too, computed in the same batch
            for number, (c, r, w) in enumerate(part):
                x[number, c, r, w] = likely[c, r, w]
            moved = _divergences(asked, x, row, column, channels)
            values[tuple(part.T)] = moved
    return Attribution(values, False, "influence", "bits", (row, column, channel), names=channel_names(model.image))


def _likeliest_others(asked: ImageQuery) -> Int[Tensor, "c h w"]:
    """At each sub-pixel the likeliest level that is not the one that is there."""
    found = torch.zeros(asked.x.shape[1:], dtype=torch.int64, device=asked.model.device)
    params = asked.params
    for channel in range(asked.shape[0]):
        for rows, log_probs in asked.tables(params, channel):
            seen = asked.x[0, channel, rows][None]
            found[channel, rows] = log_probs.scatter(0, seen, -torch.inf).argmax(0)
    return found


def _divergences(asked: ImageQuery, x: Int[Tensor, "b c h w"], row: int, column: int, channels: Any) -> np.ndarray:
    """KL of the last image's distributions at a site to each of the others', in bits, `[b - 1]`."""
    model, place = asked.model, (slice(None), slice(None), slice(row, row + 1), slice(column, column + 1))
    params = asked.outputs(model.canvas(x))[place]
    true = asked.x.expand(len(x), -1, -1, -1)[place]
    total = torch.zeros(len(x) - 1, dtype=torch.float64, device=model.device)
    for channel in channels:
        log_probs = model.likelihood.conditional(params, true, channel)[:, :, 0, 0].double().clamp(min=-1e4)
        usual = log_probs[-1:]
        total += (usual.exp() * (usual - log_probs[:-1])).sum(1)
    found: np.ndarray = (total.clamp(min=0) / NATS_PER_BIT).cpu().numpy()
    return found
