"""Painting on: some sub-pixels are kept as they are, the others are drawn in the order of painting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label, labels_from_input
from pointillist.errors import ShapeError
from pointillist.model.arguments import one_image
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.ordering import PixelOrder
from pointillist.sampling.api import Samples, UniformSampler, check_numbers, resolve_uniforms, seeded_uniforms
from pointillist.sampling.loop import ObservedPixels, Site, autoregressive_loop, resolve_engine


def inpaint(
    model: PixelModel,
    image: Any,
    known: Bool[np.ndarray, "h w"] | Bool[np.ndarray, "c h w"] | Tensor,
    n: int = 8,
    label: Label = None,
    text: Any = None,
    *,
    guidance: float = 1.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int | None = None,
    uniforms: Float[np.ndarray, "n c h w"] | Tensor | None = None,
    engine: str = "auto",
    order: str | None = None,
    **further: Unpack[ConditionKwargs],
) -> Samples:
    """Paint `n` images that keep what is known of one.

    A drawn sub-pixel knows all that come before it in the order of painting, kept or drawn, and nothing that comes
    after. So what is kept *after* a drawn sub-pixel had no say in it: exact where the unknown part comes last in the
    order, and otherwise only a way to paint over a hole, whose far edge may not fit.

    Args:
        image: levels `[c h w]`, a PIL picture or the path of one; read where it is known.
        known: pixels or sub-pixels to keep.
        label, text, further, guidance, temperature, top_p, seed, uniforms, engine, order: as for `sample`. The same
            uniforms (or seed) draw the same levels from the same distributions, whatever is known.

    Returns:
        the images; `nats` is the log-likelihood of each as a whole, kept sub-pixels included.

    Raises:
        ShapeError, DataError, ConfigError, EngineError: naming the argument that is wrong.
    """
    x = one_image(model, image)
    check_numbers(n, guidance, temperature, top_p)
    shape = tuple(x.shape[1:])
    told = model.conditions.inputs(label, n, text, size=(x.shape[2], x.shape[3]), **further)
    seed, given = resolve_uniforms(seed, uniforms, (n, *shape))
    u = seeded_uniforms(seed or 0, range(n), shape) if given is None else given
    chooser = UniformSampler(torch.from_numpy(u), guidance, temperature, top_p)
    found = continued(model, x, _mask(known, shape), told, chooser, engine, model.order(order))
    return replace(found, seed=seed)


def continued(
    model: PixelModel,
    x: Int[Tensor, "1 c h w"],
    known: Bool[np.ndarray, "c h w"],
    told: ConditionInputs,
    chooser: UniformSampler,
    engine: str,
    order: PixelOrder | None = None,
) -> Samples:
    """Paint as many images as are told something."""
    size, count, engine = (x.shape[2], x.shape[3]), len(told), resolve_engine(engine, model.device)
    carried = chooser.carry(told)
    levels = x[0].cpu()
    # pixels that are known whole cost nothing; `choose` keeps what is known of the others
    kept = ObservedPixels(levels.expand(len(carried), -1, -1, -1), torch.from_numpy(known.all(0)))
    choose = ConditionalSampler(chooser, levels, known)
    with inference_mode(model):
        condition = model.encode(carried, len(carried))
        painted = autoregressive_loop(model, condition, choose, len(carried), *size, engine, known=kept, order=order)[
            :count
        ]
        nats = model.log_prob_map_given(painted.to(model.device), told, order).flatten(1).sum(1).double().cpu()
    labels = labels_from_input(told.parts.get("label"), count)
    return Samples(painted, nats, model.image.resized(*size), labels, None, engine, (order or model.order()).name)


class ConditionalSampler:
    """Takes the level of an image where it is known, and asks another chooser elsewhere."""

    def __init__(self, chooser: UniformSampler, levels: Int[Tensor, "c h w"], known: Bool[np.ndarray, "c h w"]) -> None:
        self.chooser, self.levels, self.known = chooser, levels, known

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """A level for each image of the engine's batch."""
        place = (site.channel, site.row, site.column)
        if self.known[place]:
            return self.levels[place].expand(len(log_probs))
        return self.chooser(site, log_probs)


def _mask(known: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "c h w"]:
    mask = np.asarray(known)
    if mask.dtype != np.bool_ or mask.shape not in (shape, shape[1:]):
        raise ShapeError(f"`known` ({mask.dtype}, shape {mask.shape}) must be boolean, {shape[1:]} or {shape}.")
    return np.broadcast_to(mask, shape)
