"""Receptive field: the earlier sub-pixels on which a model can depend at a position, measured by gradients.

A path through the network shows as a nonzero gradient, in float64 and at random weights. A set of weights may close a
path by chance (a rectifier that is off), so the result is the union over several sets.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pointillist.analysis.query import order_index
from pointillist.errors import ConfigError, ShapeError, quote
from pointillist.files.arrays import as_array
from pointillist.images import channel_names
from pointillist.images.array_types import Bool, Float
from pointillist.images.ordering import PixelOrder
from pointillist.images.visualization import plot_receptive_field
from pointillist.images.visualization.pixels import ShownAsPicture
from pointillist.model.folder.opening import load
from pointillist.model.pixel_model import PixelModel

_INPUTS = 4  # random network inputs for each set of weights: each opens other rectifiers
_UNCHANGED_SETS = 6  # sets of weights in a row that add nothing end the search
_MAX_SETS = 64
_IMAGES = 8  # random images for the strength of a trained model


@dataclass(frozen=True, eq=False)
class ReceptiveField(ShownAsPicture):
    """The sub-pixels on which a model can depend at a pixel position ("site").

    ```python
    field = pt.receptive_field(model, 4, 4)
    field.depends.sum()  # sub-pixels on which the pixel depends
    ```

    Attributes:
        name: name of the model, for the caption.
        site: row, column, channel.
        depends: bool `[c h w]`, the sub-pixels on which the parameters of the site depend.
        earlier: bool `[c h w]`, the sub-pixels before the site in the generation order.
        strength: float `[c h w]`, mean absolute gradient of the log-probability of the site's level, in nats per unit
            of the network input (half the range of an ordered level); None if it was not requested.
        channel_names: one name for each channel; an empty name is not shown.
    """

    name: str
    site: tuple[int, int, int]
    depends: np.ndarray = field(repr=False)
    earlier: np.ndarray = field(repr=False)
    strength: np.ndarray | None = field(default=None, repr=False)
    channel_names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def num_earlier(self) -> int:
        """Number of sub-pixels before the site."""
        return int(self.earlier.sum())

    @property
    def num_seen(self) -> int:
        """Number of earlier sub-pixels on which the site depends."""
        return int((self.depends & self.earlier).sum())

    @property
    def num_missing(self) -> int:
        """Number of earlier sub-pixels on which the site does not depend: the blind spot."""
        return int((self.earlier & ~self.depends).sum())

    @property
    def num_leaked(self) -> int:
        """Number of later sub-pixels on which the site depends: 0 in a causal model."""
        return int((self.depends & ~self.earlier).sum())

    def __str__(self) -> str:
        row, column, channel = self.site
        single = len(self.earlier) == 1
        position = f"({row}, {column})" if single else f"({row}, {column}), channel {channel}"
        what = "pixels" if single else "sub-pixels"
        leaks = f", and {self.num_leaked:,} that are not earlier" if self.num_leaked else ""
        return f"{self.name}, site {position}: sees {self.num_seen:,} of {self.num_earlier:,} earlier {what}{leaks}"

    def image(self) -> Image.Image:
        """Draw one map for each channel, and below them (or next to a single one) the strength."""
        row, column, channel = self.site
        return plot_receptive_field(
            self.depends,
            self.earlier,
            (channel, row, column),
            strength=self.strength,
            caption=str(self),
            names=self.channel_names,
        )


@torch.enable_grad()
def receptive_field(
    model: PixelModel | str | Path,
    row: int,
    column: int,
    channel: int | None = None,
    *,
    size: tuple[int, int] | None = None,
    images: Any = None,
    name: str | None = None,
    order: str | None = None,
) -> ReceptiveField:
    """Measure which sub-pixels the parameters of one sub-pixel depend on. The weights of `model` are not changed.

    Args:
        model: a model, or the name or folder of one.
        row, column: the site, from 0.
        channel: its channel; None for the last, which has the most sub-pixels before it. A likelihood that couples the
            channels reads the network once per pixel: there the whole pixel is one site, and none of its channels is
            earlier.
        size: height and width of the image; None for the model's own.
        images: levels `[n c h w]` over which the strength is measured, without labels; a trained model takes random
            ones if None.
        name: name of the model in the caption; None for its type.
        order: one of the model's orders; None for its first.

    Raises:
        ConfigError: if the site is not in the image.
        ShapeError, DataError: if the model does not take such a size or such images.

    Example::

        field = pt.receptive_field(pt.build("pixelcnn", shape=(1, 28, 28), preset="small"), 12, 7)
        field.num_missing  # earlier pixels in the blind spot
        field.image().save("field.png")
    """
    if isinstance(model, (str, Path)):
        model = load(model)
    if not hasattr(model, "backbone"):
        raise ConfigError(f"`model` (={quote(model)}) must be a network, from `pt.build` or `pt.load`.")
    height, width = size or (model.image.height, model.image.width)
    channels = model.image.channels
    depends, earlier = dependence(model, row, column, channel, size=size, order=order)
    row, column, channel = model.image.check_site(row, column, channel, size)
    pixel_order = model.order(order)
    if images is None and not model.training_record.is_empty:
        random = torch.Generator().manual_seed(0)
        images = torch.randint(model.image.levels, (_IMAGES, channels, height, width), generator=random)
    site = (channel, row, column)
    strength = None if images is None else _strength(_probe(model), images, site, (height, width), pixel_order)
    title = model.config.model_type if name is None else str(name)
    if len(model.config.orders) > 1 or pixel_order.name != "raster":
        title = f"{title}, {pixel_order.name}"
    return ReceptiveField(title, (row, column, channel), depends, earlier, strength, channel_names(model.image))


@torch.enable_grad()
def dependence(
    model: PixelModel,
    row: int,
    column: int,
    channel: int | None = None,
    *,
    size: tuple[int, int] | None = None,
    order: str | None = None,
) -> tuple[Bool[np.ndarray, "c h w"], Bool[np.ndarray, "c h w"]]:
    """Measure `depends` and `earlier` of a receptive field, without the rest: the sub-pixels that a site can depend on.

    Args:
        row, column, channel, size, order: as for `receptive_field`.

    Raises:
        ConfigError, ShapeError: as `receptive_field`.

    Example::

        depends, earlier = dependence(model, 4, 4)
        (earlier & ~depends).sum()  # the blind spot
    """
    height, width = size or (model.image.height, model.image.width)
    model.check_size(height, width)
    row, column, channel = model.image.check_site(row, column, channel, size)
    pixel_order, site = model.order(order), (channel, row, column)
    probe = _probe(model)
    index = order_index(model, (height, width), pixel_order)
    earlier = index < index[0 if model.likelihood.coupled else channel, row, column]
    return _depends(probe, earlier, site, torch.Generator().manual_seed(0), pixel_order), earlier


def _probe(model: PixelModel) -> PixelModel:
    """Copy a model in double precision, whose gradients are 0 only without a path."""
    return copy.deepcopy(model).to("cpu", torch.float64).eval().requires_grad_(False)


def _depends(
    model: PixelModel, earlier: np.ndarray, site: tuple[int, int, int], random: torch.Generator, order: PixelOrder
) -> np.ndarray:
    """Take the union over random weights until it stays the same. Overwrites the weights."""
    result, unchanged = np.zeros_like(earlier), 0
    for _ in range(_MAX_SETS):
        _randomise(model, random)
        new = _gradient(model, earlier.shape, site, random, order) & ~result
        result |= new
        unchanged = 0 if new.any() else unchanged + 1
        if unchanged == _UNCHANGED_SETS or (unchanged and bool((result | ~earlier).all())):
            break
    return result


def _randomise(model: PixelModel, random: torch.Generator) -> None:
    """Draw all weights at random, of a size that neither saturates gates nor lets signals fade in a deep network."""
    for weight in model.parameters():
        scale = 1 / math.sqrt(weight[0].numel()) if weight.ndim > 1 else 0.5
        weight.copy_(torch.randn(weight.shape, generator=random, dtype=weight.dtype) * scale)


def _gradient(
    model: PixelModel, shape: tuple[int, ...], site: tuple[int, int, int], random: torch.Generator, order: PixelOrder
) -> np.ndarray:
    """Mark nonzero gradients of the site's parameters, for any of a few random network inputs."""
    channel, row, column = site
    groups, (channels, height, width) = model.dims.groups, shape
    canvas = torch.randn(_INPUTS, model.dims.canvas, height, width, generator=random, dtype=torch.float64)
    canvas.requires_grad_()
    outputs: Tensor = model.outputs(canvas, model.encode(None, _INPUTS, (height, width)), order)
    site_params = outputs.reshape(_INPUTS, groups, -1, height, width)[:, channel if groups > 1 else 0, :, row, column]
    weights = torch.randn(site_params.shape, generator=random, dtype=torch.float64)
    result: np.ndarray = _input_gradient((site_params * weights).sum(), canvas, channels).amax(0).numpy() != 0
    return result


def _strength(
    model: PixelModel, images: Any, site: tuple[int, int, int], size: tuple[int, int], order: PixelOrder
) -> np.ndarray:
    """Average the gradient of the log-probability of the site's level over images, `[c h w]`."""
    x = model.check(np.array(as_array(images)))
    if tuple(x.shape[2:]) != size or len(x) == 0:
        height, width = x.shape[2:]
        raise ShapeError(
            f"`images` ({len(x)} of {height}x{width}) must be at least one of the size of the field, "
            f"{size[0]}x{size[1]}: give their size as `size`."
        )
    channel, row, column = site
    canvas = model.canvas(x).detach().requires_grad_()
    params = model.outputs(canvas, model.encode(None, len(x), size), order)
    nats = model.likelihood.log_prob(params, x)[:, channel, row, column].sum()
    return _input_gradient(nats, canvas, x.shape[1]).mean(0).numpy()


def _input_gradient(value: Tensor, canvas: Tensor, channels: int) -> Float[Tensor, "b c h w"]:
    """Return the absolute gradient at each sub-pixel, summed over the features of a sub-pixel."""
    (gradient,) = torch.autograd.grad(value, canvas)
    return gradient.reshape(len(canvas), channels, -1, *canvas.shape[2:]).abs().sum(2)
