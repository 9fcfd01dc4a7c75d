"""Painting on: some sub-pixels are kept as they are, the others are drawn in the order of painting."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import NO_LABEL, resolve_labels
from pointillist.conditioning.label import Label
from pointillist.errors import ConfigError, ShapeError
from pointillist.explaining.asking import one_image
from pointillist.pixel_model import PixelModel
from pointillist.sampling import Chooser, Samples
from pointillist.scoring import evaluating
from pointillist.unroll import Known, Site, resolve_engine, unroll


def continue_image(
    model: PixelModel,
    image: Any,
    known: Bool[np.ndarray, "h w"] | Bool[np.ndarray, "c h w"] | Tensor,
    n: int = 8,
    label: Label = None,
    *,
    guidance: float = 1.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int | None = None,
    uniforms: Float[np.ndarray, "n c h w"] | Tensor | None = None,
    engine: str = "auto",
) -> Samples:
    """Paint `n` images that keep what is known of one.

    A drawn sub-pixel knows all that come before it in the order of painting, kept or drawn, and nothing that comes
    after. So what is kept *after* a drawn sub-pixel had no say in it: exact where the unknown part comes last in the
    order, and otherwise only a way to paint over a hole, whose far edge may not fit.

    Args:
        image: levels `[c h w]`, a PIL picture or the path of one; read where it is known.
        known: pixels or sub-pixels to keep.
        label, guidance, temperature, top_p, seed, uniforms, engine: as for `sample`. The same uniforms (or seed) draw
            the same levels from the same distributions, whatever is known.

    Returns:
        the images; `nats` is the log-likelihood of each as a whole, kept sub-pixels included.

    Raises:
        ShapeError, DataError, ConfigError, EngineError: naming the argument that is wrong.
    """
    x = one_image(model, image)
    keep = _mask(known, tuple(x.shape[1:]))
    if n < 1:
        raise ConfigError(f"`n` (={n}) must be at least 1.")
    given = uniforms is not None
    if uniforms is None:
        seed = secrets.randbelow(2**31) if seed is None else int(seed)
        u = np.stack([np.random.default_rng([seed, i]).random(x.shape[1:]) for i in range(n)])
    else:
        u = np.asarray(uniforms, np.float64)
        if u.shape != (n, *x.shape[1:]):
            raise ShapeError(f"`uniforms` of shape {u.shape} must be {(n, *x.shape[1:])}: one for each sub-pixel.")
    labels = resolve_labels(label, model.config.classes, n)
    chooser = KeepKnown(Chooser(torch.from_numpy(u), guidance, temperature, top_p), x[0].cpu(), keep)
    engine = resolve_engine(engine)
    levels = _painted(model, labels, chooser, (x.shape[2], x.shape[3]), engine)
    with evaluating(model):
        nats = model.log_prob(levels, labels if model.config.classes else None).double().cpu()
    size = model.image.resized(x.shape[2], x.shape[3])
    return Samples(levels, nats, size, labels, None if given else seed, engine)


class KeepKnown:
    """Takes the level of an image where it is known, and asks another chooser elsewhere."""

    def __init__(self, chooser: Chooser, levels: Int[Tensor, "c h w"], known: Bool[np.ndarray, "c h w"]) -> None:
        self.chooser, self.levels, self.known = chooser, levels, known

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """A level for each image of the engine's batch."""
        place = (site.channel, site.row, site.column)
        if self.known[place]:
            return self.levels[place].expand(len(log_probs))
        return self.chooser(site, log_probs)


def _painted(
    model: PixelModel, labels: Int[Tensor, " n"], choose: KeepKnown, size: tuple[int, int], engine: str
) -> Int[Tensor, "n c h w"]:
    """Under guidance the loop carries every image twice, told and untold, as in `sampling`."""
    count, chooser = len(labels), choose.chooser
    chooser.guided = chooser.guidance != 1.0 and bool((labels != NO_LABEL).any())
    told = torch.cat([labels, torch.full_like(labels, NO_LABEL)]) if chooser.guided else labels
    # pixels that are known whole cost nothing; `choose` keeps what is known of the others
    known = Known(choose.levels.expand(len(told), -1, -1, -1), torch.from_numpy(choose.known.all(0)))
    with evaluating(model):
        condition = model.condition(told if model.config.classes else None, len(told))
        return unroll(model, condition, choose, len(told), *size, engine, known=known)[:count]


def _mask(known: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "c h w"]:
    mask = np.asarray(known)
    if mask.dtype != np.bool_ or mask.shape not in (shape, shape[1:]):
        raise ShapeError(f"`known` ({mask.dtype}, shape {mask.shape}) must be boolean, {shape[1:]} or {shape}.")
    return np.broadcast_to(mask, shape)
