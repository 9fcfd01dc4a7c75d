"""How likely images are under a model: every image counted once, in nats and in bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label
from pointillist.data import ImageDataset
from pointillist.distributions.sampling_transforms import apply_guidance, check_guidance
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.model.dataset_conditions import DatasetConditions
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.ordering import PixelOrder

Z95 = 1.959963984540054  # two-sided 95 % of a normal distribution


@dataclass(frozen=True)
class Evaluation:
    """The likelihood of a set of images.

    Attributes:
        nats: mean negative log-likelihood of an image, in nats.
        bits_per_dim: the same per sub-pixel, in bits.
        interval: 95 % confidence interval of `bits_per_dim` (normal, over images); NaN for one image.
        count: number of images.
        dims: sub-pixels of an image.
        per_image: negative log-likelihood of each image, in nats, `[count]`.
        notes: how the images were read (levels, binarisation, subsets).
        order: what was asked for: the name of an order, `average` or `each`.
        by_order: mean negative log-likelihood under each order that was run, in nats.
        guidance: of the distribution that was measured; 1 is the model itself.
    """

    nats: float
    bits_per_dim: float
    interval: tuple[float, float]
    count: int
    dims: int
    per_image: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()
    order: str = "raster"
    by_order: Mapping[str, float] = field(default_factory=dict)
    guidance: float = 1.0

    @classmethod
    def of(
        cls,
        per_image: np.ndarray,
        dims: int,
        notes: tuple[str, ...] = (),
        order: str = "raster",
        by_order: Mapping[str, float] | None = None,
        guidance: float = 1.0,
    ) -> Evaluation:
        """From the negative log-likelihood of each image, in nats."""
        scale = dims * math.log(2)
        mean = float(per_image.mean())
        spread = float(per_image.std(ddof=1)) / math.sqrt(len(per_image)) if len(per_image) > 1 else math.nan
        interval = ((mean - Z95 * spread) / scale, (mean + Z95 * spread) / scale)
        named = dict(by_order or {})
        return cls(mean, mean / scale, interval, len(per_image), dims, per_image, notes, order, named, guidance)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.bits_per_dim:.4f} bits/dim (95 % {low:.4f} to {high:.4f}), {self.nats:.3f} nats an image, "
            f"{self.count:,} images of {self.dims:,} dims"
        )


def evaluate(
    model: PixelModel,
    x: ImageDataset | Int[Tensor, "n c h w"] | np.ndarray,
    label: Label = None,
    text: Any = None,
    *,
    batch_size: int = 64,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    order: str | None = None,
    guidance: float = 1.0,
    **further: Unpack[ConditionKwargs],
) -> Evaluation:
    """Likelihood of images, in float32 whatever the model was trained in; independent of `batch_size`.

    Args:
        x: a data set, or levels `n c h w`. A data set brings its own conditions, matched by name.
        label, text, further: conditions of levels, or instead of those of the data set; see `PixelModel.told`.
        seed: of dynamic binarisation, drawn once.
        on_progress: called with images done and images in all.
        order: one of the model's orders; None for the usual one; or `average`, or `each`; see `combine_orders`.
        guidance: the likelihood is that of the distribution that `sample` draws from with it; see `guided_log_prob`.

    Raises:
        DataError, ShapeError, ConfigError: if the images or labels do not fit the model.
    """
    if batch_size < 1:
        raise ConfigError(f"`batch_size` (={batch_size}) must be at least 1.")
    check_guidance(guidance)
    read, count, notes = _source(model, x, seed)
    if count == 0:
        raise DataError("There is no image to evaluate: the data set is empty.")
    _, channels, height, width = read(0, 1)[0].shape
    asked = model.told(label, count, text, size=(height, width), **further)
    given = {name for name, value in {"label": label, "text": text, **further}.items() if value is not None}
    own = {name for name, listener in model.listeners.items() if (listener.asks or name) in given}
    walks = [model.order(order)] if order not in ("average", "each") else list(map(model.order, model.config.orders))
    every = np.empty((len(walks), count), np.float64)
    with inference_mode(model):
        for start in range(0, count, batch_size):
            stop = min(count, start + batch_size)
            part, told = read(start, stop)
            mine = asked[start:stop]
            if told is not None:
                mine = ConditionInputs(len(part), {n: (mine if n in own else told).parts[n] for n in mine.parts})
            part = model.check(part)
            for row, walk in zip(every, walks, strict=True):
                (nats,) = guided_log_likelihoods(model, part, mine, (guidance,), walk)
                row[start:stop] = -nats.numpy()
            if on_progress is not None:
                on_progress(stop, count)
    name = walks[0].name if order is None else order
    by_order = {walk.name: float(nats) for walk, nats in zip(walks, every.mean(1), strict=True)}
    return Evaluation.of(combine_orders(every, name), channels * height * width, notes, name, by_order, guidance)


def guided_log_prob(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    told: ConditionInputs,
    guidance: float,
    order: PixelOrder | None = None,
) -> Float[Tensor, "b c h w"]:
    """Log-probability of each sub-pixel given those before it, under guidance, in nats; images that are checked.

    log p is proportional to log p_u + g (log p_c - log p_u) over the levels of each sub-pixel, as where `sample` paints
    with guidance g, and normalised: 1 is the model itself, 0 the model told nothing. Less than 1 believes what is told
    less than the model does.
    """
    (found,) = guided_log_probs(model, x, told, (guidance,), order)
    return found


def guided_log_probs(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    told: ConditionInputs,
    guidances: Sequence[float],
    order: PixelOrder | None = None,
) -> list[Float[Tensor, "b c h w"]]:
    """`guided_log_prob` under each of several guidances, for the time of one."""
    likelihood, params = model.likelihood, model.params(x, model.condition(told, len(x)), order)
    # one image, seen by as many conditions as there are rows, is told nothing once
    alone = x[:1] if len(x) and not x.stride(0) else x
    if set(guidances) != {1}:
        untold = model.params(alone, model.condition(told[: len(alone)].untold(), len(alone)), order)
    found = []
    with torch.autocast(x.device.type, enabled=False):
        for guidance in guidances:
            if guidance == 1:
                found.append(likelihood.log_prob(params, x))
                continue
            maps = []
            for channel in range(x.shape[1]):
                ours = likelihood.conditional(params, x, channel)
                theirs = likelihood.conditional(untold, alone, channel).expand_as(ours)
                maps.append(apply_guidance(ours, theirs, guidance).gather(1, x[:, channel : channel + 1])[:, 0])
            found.append(torch.stack(maps, 1))
    return found


def guided_log_likelihoods(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    told: ConditionInputs,
    guidances: Sequence[float],
    order: PixelOrder | None = None,
) -> list[Float[Tensor, " b"]]:
    """Log-likelihood of each image under each of several guidances, in nats."""
    found = guided_log_probs(model, x, told, guidances, order)
    return [nats.flatten(1).double().sum(1).cpu() for nats in found]


def combine_orders(nats: Float[np.ndarray, "o n"], order: str) -> Float[np.ndarray, " n"]:
    """Negative log-likelihoods of images under several orders as one for each image, in nats.

    `average` is -log mean_o p_o(x), the exact likelihood of the mixture that first draws an order, each as likely, and
    then paints by it: it is normalised, as every p_o is. `each` is the mean of -log p_o(x), which is never less
    (Jensen): what an image costs if the order is drawn and told.
    """
    if order != "average":
        mean: np.ndarray = nats.mean(0)
        return mean
    least = nats.min(0)
    total: np.ndarray = least - np.log(np.exp(least - nats).mean(0))
    return total


def entropy_map(
    model: PixelModel,
    x: Int[Tensor, "b c h w"],
    label: Label = None,
    text: Any = None,
    *,
    order: str | None = None,
    **further: Unpack[ConditionKwargs],
) -> Float[Tensor, "b c h w"]:
    """How uncertain the model is at each sub-pixel, given the true ones before it in an order, in bits."""
    with inference_mode(model):
        x = model.check(x)
        told = model.told(label, len(x), text, size=(x.shape[2], x.shape[3]), **further)
        params = model.params(x, model.condition(told, len(x)), model.order(order))
        maps = [model.likelihood.entropy(params, x, channel) for channel in range(x.shape[1])]
        return torch.stack(maps, 1) / math.log(2)


ReadBatch = Callable[[int, int], tuple[Tensor, ConditionInputs | None]]


def _source(model: PixelModel, x: Any, seed: int) -> tuple[ReadBatch, int, tuple[str, ...]]:
    """How to read images `start .. stop` and what they are told by themselves; how many there are; notes."""
    if isinstance(x, ImageDataset):
        check_spec(model, x)
        telling = DatasetConditions(model, x)

        def read(start: int, stop: int) -> tuple[Tensor, ConditionInputs | None]:
            index = np.arange(start, stop)
            batch = x.batch(index, seed=seed)
            return batch.levels, telling(index, batch)

        return read, len(x), x.notes
    levels = torch.as_tensor(x)
    if levels.ndim != 4:
        raise ShapeError(f"Levels of shape {tuple(levels.shape)} must be (n, c, h, w).")
    return lambda start, stop: (levels[start:stop], None), len(levels), ()


def check_spec(model: PixelModel, data: ImageDataset) -> None:
    """Refuse a data set whose integers mean something else than the model's.

    Raises:
        DataError: naming what differs and the option that mends it.
    """
    ours, theirs = model.image, data.spec
    for what, option in (
        ("channels", "--mode"),
        ("levels", "--levels"),
        ("ordered", "--categorical-levels"),
        ("palette", "--palette"),
    ):
        a, b = getattr(ours, what), getattr(theirs, what)
        if a != b:
            shown = f"{what} {b} where the model has {a}" if what != "palette" else "another palette than the model"
            raise DataError(f"{data.name} has {shown}: read it with `{option}` to match.")
    model.check_size(theirs.height, theirs.width)
