"""A painting as it was asked for, checked and filled in: what is left to do is work."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.clusters import draw_clusters, with_own_cluster
from pointillist.conditioning import Told
from pointillist.errors import DataError
from pointillist.ordering import Order
from pointillist.pixel_model import PixelModel
from pointillist.sampling import cluster_uniforms, seeded_uniforms
from pointillist.studio import messages as m
from pointillist.studio.reading import check_pixels, levels_of, mask_of, told_of
from pointillist.studio.refusals import too_large
from pointillist.unroll import Known, resolve_engine

_SEEDS = 2**31


@dataclass(frozen=True)
class Plan:
    """A painting that can begin.

    Attributes:
        request: with every seed, the order, the size and the engine filled in.
        told: what the canvases are told.
        start: levels and mask to go on from.
        sequence: the pixels to paint, `row * width + column`, in their order.
    """

    model: PixelModel
    request: m.PaintRequest
    told: Told
    start: Known | None
    order: Order
    sequence: Int[np.ndarray, " n"]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        assert self.request.size is not None
        height, width = self.request.size
        return height, width

    def uniforms(self) -> Float[Tensor, "n c h w"]:
        """What draws, canvas by canvas."""
        shape = (self.model.image.channels, *self.size)
        every = [seeded_uniforms(c.seed or 0, [c.index], shape) for c in self.request.canvases]
        return torch.from_numpy(np.concatenate(every))


def plan(model: PixelModel, request: m.PaintRequest, limits: m.Limits) -> Plan:
    """Check a request against a model and the limits.

    Raises:
        Refused: if it is too large.
        ConfigError, ShapeError, DataError, EngineError: naming what the model does not take.
    """
    order, engine = model.order(request.order), resolve_engine(request.engine, model.device)
    levels = None if request.start is None else levels_of(model, request.start.levels, limits)
    size = _size(model, request, levels)
    _check_numbers(model, request, size, limits)
    start = None
    if levels is not None and request.start is not None:
        mask = mask_of(request.start.known, *size)
        if mask.all():
            raise DataError("`known` keeps every pixel, so there is nothing to paint: leave at least one out.")
        start = Known(levels, torch.from_numpy(mask))
    told = Told.together([told_of(model, canvas.told, size) for canvas in request.canvases])
    canvases = [c.model_copy(update={"seed": _seed(c)}) for c in request.canvases]
    if start is None:
        first = np.concatenate([cluster_uniforms(c.seed or 0, [c.index]) for c in canvases])
        told, _ = draw_clusters(model, told, first, request.guidance, request.temperature, request.top_p)
    else:  # the picture that is there has one already
        told = with_own_cluster(model, told, start.levels.expand(len(canvases), -1, -1, -1))
    filled = request.model_copy(
        update={"canvases": canvases, "order": order.name, "size": list(size), "engine": engine}
    )
    return Plan(model, filled, told, start, order, _sequence(model, size, order, start))


def _seed(canvas: m.Canvas) -> int:
    return secrets.randbelow(_SEEDS) if canvas.seed is None else canvas.seed


def _size(model: PixelModel, request: m.PaintRequest, start: Tensor | None) -> tuple[int, int]:
    if start is not None:
        size = (start.shape[2], start.shape[3])
    else:
        height, width = request.size or (model.image.height, model.image.width)
        size = (height, width)
    model.check_size(*size)
    return size


def _check_numbers(model: PixelModel, request: m.PaintRequest, size: tuple[int, int], limits: m.Limits) -> None:
    check_pixels(*size, limits)
    canvases = len(request.canvases)
    if canvases > limits.canvases:
        raise too_large("The number of canvases", canvases, limits.canvases, "ask for fewer")
    image = model.image
    kept = model.likelihood.num_params + (2 * image.channels * image.levels if request.distributions else 0)
    numbers = canvases * kept * size[0] * size[1]
    if numbers > limits.numbers:
        remedy = "ask for fewer canvases, a smaller size, or no distributions"
        raise too_large("The numbers of this painting", numbers, limits.numbers, remedy)


def _sequence(model: PixelModel, size: tuple[int, int], order: Order, start: Known | None) -> np.ndarray:
    """Pixels in the order of painting, without those that are known."""
    pixels: Int[np.ndarray, " n"] = np.argsort(model.places(*size, order), axis=None, kind="stable")
    if start is None:
        return pixels
    unknown: Bool[np.ndarray, " n"] = ~start.mask.numpy().ravel()
    left: Int[np.ndarray, " n"] = pixels[unknown[pixels]]
    return left
