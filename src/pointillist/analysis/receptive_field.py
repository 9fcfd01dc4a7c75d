"""Which earlier sub-pixels a model can see from a site, measured: by gradients, not worked out from its settings.

A path through the network shows as a gradient that is not zero, in float64 and at random weights. One set of weights
may close a path by luck (a rectifier that is off), so the answer is the union over several sets.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from pointillist.errors import ShapeError
from pointillist.model.arguments import check_site
from pointillist.model.pixel_model import PixelModel
from pointillist.ordering import PixelOrder
from pointillist.visualization import plot_receptive_field, png_bytes

_CANVASES = 4  # images a draw of weights: each opens other rectifiers
_QUIET = 6  # draws in a row that show nothing new end the search
_MOST = 64  # draws at most
_IMAGES = 8  # random images for the strength of a trained model


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What a model can see from a site.

    Attributes:
        name: of the model, for the caption.
        site: row, column, channel.
        depends: bool `c h w`, the sub-pixels on which the parameters of the site depend.
        earlier: bool `c h w`, those that are painted before it.
        strength: float `c h w`, mean size of the gradient of the log-probability of the site's level, in nats per
            unit of the canvas (half the range of an ordered level); None where it was not asked for.
        channel_names: one for each channel; an empty one is not shown.
    """

    name: str
    site: tuple[int, int, int]
    depends: np.ndarray = field(repr=False)
    earlier: np.ndarray = field(repr=False)
    strength: np.ndarray | None = field(default=None, repr=False)
    channel_names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def num_earlier(self) -> int:
        """Sub-pixels before the site."""
        return int(self.earlier.sum())

    @property
    def num_seen(self) -> int:
        """Earlier sub-pixels that are seen."""
        return int((self.depends & self.earlier).sum())

    @property
    def num_missing(self) -> int:
        """Earlier sub-pixels that are not seen: the blind spot."""
        return int((self.earlier & ~self.depends).sum())

    @property
    def num_leaked(self) -> int:
        """Seen sub-pixels that are not earlier: 0 in a causal model."""
        return int((self.depends & ~self.earlier).sum())

    def __str__(self) -> str:
        row, column, channel = self.site
        single = len(self.earlier) == 1
        place = f"({row}, {column})" if single else f"({row}, {column}), channel {channel}"
        what = "pixels" if single else "sub-pixels"
        leaks = f", and {self.num_leaked:,} that are not earlier" if self.num_leaked else ""
        return f"{self.name}, site {place}: sees {self.num_seen:,} of {self.num_earlier:,} earlier {what}{leaks}"

    def image(self) -> Image.Image:
        """The field as a picture: one map for each channel, below them (or beside one) the strength."""
        row, column, channel = self.site
        return plot_receptive_field(
            self.depends, self.earlier, (channel, row, column),
            strength=self.strength, caption=str(self), names=self.channel_names,
        )  # fmt: skip

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def receptive_field(
    model: PixelModel,
    row: int,
    column: int,
    channel: int | None = None,
    *,
    size: tuple[int, int] | None = None,
    images: Int[Tensor, "n c h w"] | None = None,
    name: str | None = None,
    order: str | None = None,
) -> ReceptiveField:
    """Measure what the parameters of a sub-pixel depend on. The weights of `model` stay as they are.

    Args:
        row, column: the site, from 0.
        channel: its channel; None for the last, which has the most before it. A likelihood that couples the channels
            asks the network once a pixel: there the whole pixel is one site, and none of its channels is earlier.
        size: height and width of the image; None for the model's own.
        images: levels over which the strength is measured, without labels; a trained model takes random ones if None.
        name: of the model in the caption; None for its type.
        order: one of the model's orders; None for the usual one.

    Raises:
        ConfigError: if the site is not in the image.
        ShapeError, DataError: if the model does not take such a size or such images.
    """
    height, width = size or (model.image.height, model.image.width)
    channels = model.image.channels
    row, column, channel = check_site(model, row, column, channel, size)
    walk = model.order(order)
    probe = copy.deepcopy(model).to("cpu", torch.float64).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(0)
    if images is None and getattr(model, "training_record", None):
        images = torch.randint(model.image.levels, (_IMAGES, channels, height, width), generator=random)
    site = (channel, row, column)
    strength = None if images is None else _strength(probe, images, site, (height, width), walk)
    earlier = _earlier(probe, (channels, height, width), site, walk)
    depends = _depends(probe, earlier, site, random, walk)
    title = name or model.config.model_type
    if len(model.config.orders) > 1 or walk.name != "raster":
        title = f"{title}, {walk.name}"
    return ReceptiveField(title, (row, column, channel), depends, earlier, strength, channel_names(model.image))


def _earlier(
    model: PixelModel, shape: tuple[int, int, int], site: tuple[int, int, int], order: PixelOrder
) -> np.ndarray:
    """Bool `c h w`: what is painted before a site, channels of a pixel in turn."""
    channel, row, column = site
    own, place = np.indices(shape)[0], model.places(*shape[1:], order)[None]
    here = place[0, row, column]
    before: np.ndarray = (place < here) | ((place == here) & (own < (0 if model.likelihood.coupled else channel)))
    return before


def _depends(
    model: PixelModel, earlier: np.ndarray, site: tuple[int, int, int], random: torch.Generator, order: PixelOrder
) -> np.ndarray:
    """The union over random weights, until it stays the same. Overwrites the weights."""
    found, quiet = np.zeros_like(earlier), 0
    for _ in range(_MOST):
        _randomise(model, random)
        new = _gradient(model, earlier.shape, site, random, order) & ~found
        found |= new
        quiet = 0 if new.any() else quiet + 1
        if quiet == _QUIET or (quiet and bool((found | ~earlier).all())):
            break
    return found


def _randomise(model: PixelModel, random: torch.Generator) -> None:
    """Every weight random, of a size that neither saturates gates nor lets signals fade in a deep network."""
    for weight in model.parameters():
        scale = 1 / math.sqrt(weight[0].numel()) if weight.ndim > 1 else 0.5
        weight.copy_(torch.randn(weight.shape, generator=random, dtype=weight.dtype) * scale)


def _gradient(
    model: PixelModel, shape: tuple[int, ...], site: tuple[int, int, int], random: torch.Generator, order: PixelOrder
) -> np.ndarray:
    """Bool `c h w`: where the gradient of the site's parameters is not zero, for any of a few random canvases."""
    channel, row, column = site
    groups, (channels, height, width) = model.ports.groups, shape
    canvas = torch.randn(_CANVASES, model.ports.canvas, height, width, generator=random, dtype=torch.float64)
    canvas.requires_grad_()
    outputs: Tensor = model.outputs(canvas, model.condition(None, _CANVASES, (height, width)), order)
    asked = outputs.reshape(_CANVASES, groups, -1, height, width)[:, channel if groups > 1 else 0, :, row, column]
    weights = torch.randn(asked.shape, generator=random, dtype=torch.float64)
    found: np.ndarray = _of_canvas((asked * weights).sum(), canvas, channels).amax(0).numpy() != 0
    return found


def _strength(
    model: PixelModel,
    images: Int[Tensor, "n c h w"],
    site: tuple[int, int, int],
    size: tuple[int, int],
    order: PixelOrder,
) -> np.ndarray:
    """Mean over images of the gradient of the log-probability of the site's level, `c h w`."""
    x = model.check(images.cpu())
    if tuple(x.shape[2:]) != size or len(x) == 0:
        height, width = x.shape[2:]
        raise ShapeError(
            f"`images` ({len(x)} of {height}x{width}) must be at least one, as large as the field, "
            f"{size[0]}x{size[1]}: give their size as `size`."
        )
    channel, row, column = site
    canvas = model.canvas(x).detach().requires_grad_()
    params = model.outputs(canvas, model.condition(None, len(x), size), order)
    nats = model.likelihood.log_prob(params, x)[:, channel, row, column].sum()
    return _of_canvas(nats, canvas, x.shape[1]).mean(0).numpy()


def _of_canvas(value: Tensor, canvas: Tensor, channels: int) -> Float[Tensor, "b c h w"]:
    """Size of the gradient at each sub-pixel; features of one sub-pixel are added."""
    (gradient,) = torch.autograd.grad(value, canvas)
    return gradient.reshape(len(canvas), channels, -1, *canvas.shape[2:]).abs().sum(2)
