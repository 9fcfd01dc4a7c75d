"""A plan carried out: pixels as they are drawn, with what the model expected, batched by time."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from pointillist.engine.room import check_room
from pointillist.sampling import Chooser
from pointillist.scoring import evaluating
from pointillist.studio import messages as m
from pointillist.studio.planning import Plan
from pointillist.studio.reading import condition_alone, pack_floats, pack_levels
from pointillist.unroll import Known, unroll

BETWEEN = 0.03  # seconds from one event to the next: as often as a screen shows something new
_EVENT, _BLOCK = 4_000_000, 100_000  # numbers of tables that go into an event, and that are worked on at once

Emit = Callable[[m.Started | m.Pixels], None]


def paint(plan: Plan, emit: Emit, check: Callable[[], None], threads: int | None = None) -> list[m.Painted]:
    """Paint; blocks until all images are finished.

    Args:
        emit: called with events, from this thread.
        check: called after every row; what it raises ends the work.
        threads: how many share the canvases.

    Returns:
        the images.

    Raises:
        EngineError, CausalityError: if the engine cannot run the model.
    """
    model, (height, width), request = plan.model, plan.size, plan.request
    count = len(request.canvases)
    chooser = Chooser(plan.uniforms(), request.guidance, request.temperature, request.top_p)
    carried = chooser.carry(plan.told)
    turned = plan.order.turned_size(height, width)
    check_room(count * model.likelihood.num_params * height * width * 8, count, height, width)
    dtype = next(model.parameters()).dtype
    outputs = torch.full((count, *turned, model.likelihood.num_params), torch.nan, dtype=dtype)
    emit(_started(plan))
    watcher = _Watcher(plan, outputs, emit, check)
    known = None if plan.start is None else _for_each(plan.start, len(carried))
    with evaluating(model):
        levels = unroll(
            model, condition_alone(model, carried), chooser, len(carried), height, width, request.engine,
            on_row=watcher.row, known=known, order=plan.order, threads=threads,
            outputs=outputs.movedim(-1, 1),
        )[:count]  # fmt: skip
        watcher.rest(levels)
        nats = chooser.nats if known is None else _nats(plan, levels)
    return [painted(plan, levels[i], float(nats[i])) for i in range(count)]


def painted(plan: Plan, levels: Int[Tensor, "c h w"], nats: float) -> m.Painted:
    """A finished image; `nats` is its log-likelihood."""
    bits = -nats / math.log(2)
    packed = pack_levels(plan.model, levels)
    digest = hashlib.sha256(packed.array().astype(np.dtype(packed.dtype).newbyteorder("<")).tobytes()).hexdigest()
    return m.Painted(levels=packed, bits=bits, bits_per_dim=bits / levels.numel(), sha256=digest)


def _started(plan: Plan) -> m.Started:
    height, width = plan.size
    return m.Started(
        engine=plan.request.engine, order=plan.order.name, height=height, width=width,
        seeds=[canvas.seed or 0 for canvas in plan.request.canvases], sequence=plan.sequence.tolist(),
    )  # fmt: skip


def _for_each(start: Known, count: int) -> Known:
    return Known(start.levels.cpu().expand(count, -1, -1, -1), start.mask)


def _nats(plan: Plan, levels: Int[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Log-likelihood of images of which a part was there before."""
    found = plan.model.told_log_prob(levels.to(plan.model.device), plan.told, plan.order)
    return found.flatten(1).sum(1).double().cpu()


class _Watcher:
    """Sends what is new, when there is something and it is time."""

    def __init__(self, plan: Plan, outputs: Float[Tensor, "n h2 w2 p"], emit: Emit, check: Callable[[], None]) -> None:
        self._plan, self._outputs, self._emit, self._check = plan, outputs.flatten(1, 2), emit, check
        pixels = torch.arange(plan.size[0] * plan.size[1]).reshape(plan.size)
        place = torch.empty(pixels.numel(), dtype=torch.int64)
        place[plan.order.turn(pixels).flatten()] = torch.arange(pixels.numel())
        self._sequence = torch.from_numpy(plan.sequence)
        self._turned = place[self._sequence]  # where each pixel of the sequence lies on the turned canvas
        # in the tables of a pixel of all canvases; each component of a mixture has one
        self._numbers = len(outputs) * plan.model.image.levels * getattr(plan.model.likelihood, "mixtures", 1)
        self._sent = 0
        self._due = 0.0

    def row(self, rows: int, levels: Int[Tensor, "b c h w"]) -> None:
        """A row is finished."""
        self._check()
        if time.monotonic() < self._due:
            return
        waiting = self._outputs[0, self._turned[self._sent :], 0].isnan()
        ready = int(waiting.int().argmax()) if bool(waiting.any()) else len(waiting)
        self._send(self._sent + ready, levels)
        self._due = time.monotonic() + BETWEEN

    def rest(self, levels: Int[Tensor, "b c h w"]) -> None:
        """All rows are finished."""
        self._send(len(self._sequence), levels)

    def _send(self, stop: int, levels: Int[Tensor, "b c h w"]) -> None:
        """Events of at most so many numbers."""
        step = max(1, _EVENT // self._numbers)
        while self._sent < stop:
            part = slice(self._sent, min(stop, self._sent + step))
            params = self._outputs[:, self._turned[part]].movedim(-1, 1)[:, :, None]
            x = levels[: len(params)].flatten(2)[:, :, self._sequence[part]][:, :, None]
            self._emit(self._pixels(part.start, params, x))
            self._sent = part.stop

    def _pixels(self, first: int, params: Float[Tensor, "n p 1 m"], x: Int[Tensor, "n c 1 m"]) -> m.Pixels:
        """Tables are made of so few pixels at once that they stay in the cache."""
        likelihood, step = self._plan.model.likelihood, max(1, _BLOCK // self._numbers)
        entropy, probs = [], []
        for part, levels in zip(torch.split(params, step, 3), torch.split(x, step, 3), strict=True):
            tables = [likelihood.probs(part, levels, channel) for channel in range(x.shape[1])]
            entropy.append(torch.stack([torch.special.entr(table).sum(1) for table in tables], 1))
            if self._plan.request.distributions:
                probs.append(torch.cat(tables, 1).mul_(65_535).round_())
        maps = torch.cat(entropy, 3) / math.log(2), -likelihood.log_prob(params, x) / math.log(2)
        return m.Pixels(
            first=first, count=x.shape[3], levels=pack_levels(self._plan.model, _listed(x)),
            entropy=pack_floats(_listed(maps[0])), surprise=pack_floats(_listed(maps[1])),
            probs=m.Packed.of(_listed(torch.cat(probs, 3)).numpy(), "uint16") if probs else None,
        )  # fmt: skip


def _listed(found: Shaped[Tensor, "n c 1 m"]) -> Shaped[Tensor, "n m c"]:
    return found[:, :, 0].transpose(1, 2)
