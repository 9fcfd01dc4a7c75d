"""Sampling with events: run a job and report pixels as they are sampled, batched by time."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from pointillist.engine.batch import check_batch_memory
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.model.vocabulary import describe_prompts
from pointillist.sampling.engines import encode_each, output_likelihood
from pointillist.sampling.loop import ChooseLevel, ObservedPixels, Site, UniformSampler, autoregressive_loop
from pointillist.studio import schemas
from pointillist.studio.advance import draw_in_advance
from pointillist.studio.conversion import encode_floats, encode_levels
from pointillist.studio.jobs import SamplingJob

EVENT_INTERVAL = 0.03  # seconds between events: as often as a screen shows something new
_EVENT_NUMBERS, _BLOCK_NUMBERS = 4_000_000, 100_000  # probabilities per event, and per block of work

Emit = Callable[[schemas.Started | schemas.Pixels], None]


def run_job(
    job: SamplingJob, emit: Emit, check: Callable[[], None], threads: int | None = None
) -> list[schemas.SampledImage]:
    """Sample the images of a job; blocks until all are finished.

    Args:
        job: the job to run.
        emit: called with events, in this thread.
        check: called after every row; an exception that it raises ends the job.
        threads: number of threads that share the samples.

    Raises:
        EngineError, CausalityError: if the engine cannot run the model.
    """
    model, (height, width), request = job.model, job.size, job.request
    count = len(request.samples)
    config = replace(job.config, threads=threads)
    ready = draw_in_advance(job, config, check) if request.in_advance else None
    chooser = UniformSampler(job.uniforms(), config.transform)
    carried = job.conditions if ready is not None else chooser.duplicate_for_guidance(job.conditions, job.negative)
    choose: ChooseLevel = chooser if ready is None else partial(_level_at, ready)
    raster_size = job.order.raster_size(height, width)
    num_params = output_likelihood(model, request.engine).num_params
    check_batch_memory(count * num_params * height * width * 8, count, height, width)
    dtype = next(model.parameters()).dtype
    outputs = torch.full((count, *raster_size, num_params), torch.nan, dtype=dtype)
    emit(_started_event(job))
    batcher = _EventBatcher(job, outputs, emit, check)
    known = None if job.start is None else _expanded(job.start, len(carried))
    with inference_mode(model):
        levels = autoregressive_loop(
            model,
            encode_each(model, carried, request.engine),
            choose,
            (len(carried), height, width),
            config,
            known=known,
            on_row=batcher.on_row,
            outputs=outputs.movedim(-1, 1),
        )[:count]
        batcher.flush(levels)
        nats = chooser.nats if known is None and ready is None else _nats(job, levels)
    return [sampled_image(model, levels[i], float(nats[i])) for i in range(count)]


def _level_at(levels: Int[Tensor, "n c h w"], site: Site, log_probs: Float[Tensor, "n k"]) -> Int[Tensor, " n"]:
    """Choose the levels of images that are there: a chooser of the loop."""
    return levels[:, site.channel, site.row, site.column]


def sampled_image(model: PixelModel, levels: Int[Tensor, "c h w"], nats: float) -> schemas.SampledImage:
    """Encode a finished image; `nats` is its log-likelihood."""
    bits = -nats / math.log(2)
    encoded = encode_levels(model, levels)
    digest = hashlib.sha256(encoded.array().astype(np.dtype(encoded.dtype).newbyteorder("<")).tobytes()).hexdigest()
    return schemas.SampledImage(levels=encoded, bits=bits, bits_per_dim=bits / levels.numel(), sha256=digest)


def _started_event(job: SamplingJob) -> schemas.Started:
    height, width = job.size
    return schemas.Started(
        engine=job.request.engine,
        order=job.order.name,
        height=height,
        width=width,
        seeds=[spec.seed or 0 for spec in job.request.samples],
        sequence=job.sequence.tolist(),
        notes=describe_prompts(job.model, [spec.conditions.text for spec in job.request.samples]),
    )


def _expanded(start: ObservedPixels, count: int) -> ObservedPixels:
    levels = start.levels.cpu()
    return ObservedPixels(levels.repeat(count // len(levels), 1, 1, 1), start.mask)


def _nats(job: SamplingJob, levels: Int[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Log-likelihood of images that were partly known."""
    scorer = job.model.scorer(job.request.engine)
    result = scorer.unchecked_log_prob_map(levels.to(job.model.device), job.conditions, job.order)
    return result.flatten(1).sum(1).double().cpu()


class _EventBatcher:
    """Emits new pixels, once per `EVENT_INTERVAL` at most, and the rest at the end."""

    def __init__(
        self, job: SamplingJob, outputs: Float[Tensor, "n h2 w2 p"], emit: Emit, check: Callable[[], None]
    ) -> None:
        self._job, self._outputs, self._emit, self._check = job, outputs.flatten(1, 2), emit, check
        pixels = torch.arange(job.size[0] * job.size[1]).reshape(job.size)
        raster_index = torch.empty(pixels.numel(), dtype=torch.int64)
        raster_index[job.order.to_raster(pixels).flatten()] = torch.arange(pixels.numel())
        self._sequence = torch.from_numpy(job.sequence)
        self._raster_indices = raster_index[self._sequence]  # index of each pixel of the sequence in `outputs`
        # probabilities of a pixel of all samples; each component of a mixture has its own table
        self._likelihood = output_likelihood(job.model, job.request.engine)
        self._numbers = len(outputs) * job.model.image.levels * getattr(self._likelihood, "mixtures", 1)
        self._sent = 0
        self._due = time.monotonic() + EVENT_INTERVAL  # an image that takes less is a single event

    def on_row(self, rows: int, levels: Int[Tensor, "b c h w"]) -> None:
        """Handle a finished row."""
        self._check()
        if time.monotonic() < self._due:
            return
        waiting = self._outputs[0, self._raster_indices[self._sent :], 0].isnan()
        ready = int(waiting.int().argmax()) if bool(waiting.any()) else len(waiting)
        self._send(self._sent + ready, levels)
        self._due = time.monotonic() + EVENT_INTERVAL

    def flush(self, levels: Int[Tensor, "b c h w"]) -> None:
        """Emit all remaining pixels."""
        self._send(len(self._sequence), levels)

    def _send(self, stop: int, levels: Int[Tensor, "b c h w"]) -> None:
        """Emit pixels up to `stop`, in events of at most `_EVENT_NUMBERS` probabilities."""
        step = max(1, _EVENT_NUMBERS // self._numbers)
        while self._sent < stop:
            part = slice(self._sent, min(stop, self._sent + step))
            # contiguous: a softmax over few levels is several times as fast across the pixels
            params = self._outputs[:, self._raster_indices[part]].movedim(-1, 1)[:, :, None].contiguous()
            x = levels[: len(params)].flatten(2)[:, :, self._sequence[part]][:, :, None]
            self._emit(self._pixels_event(part.start, params, x))
            self._sent = part.stop

    def _pixels_event(self, first: int, params: Float[Tensor, "n p 1 m"], x: Int[Tensor, "n c 1 m"]) -> schemas.Pixels:
        """Make an event; tables of probabilities are made in blocks that stay in the cache."""
        likelihood, step = self._likelihood, max(1, _BLOCK_NUMBERS // self._numbers)
        entropy, probs = [], []
        for part, levels in zip(torch.split(params, step, 3), torch.split(x, step, 3), strict=True):
            tables = [likelihood.probs(part, levels, channel) for channel in range(x.shape[1])]
            entropy.append(torch.stack([torch.special.entr(table).sum(1) for table in tables], 1))
            if self._job.request.distributions:
                probs.append(torch.cat(tables, 1).mul_(65_535).round_())
        maps = torch.cat(entropy, 3) / math.log(2), -likelihood.log_prob(params, x) / math.log(2)
        return schemas.Pixels(
            first=first,
            count=x.shape[3],
            levels=encode_levels(self._job.model, _pixel_major(x)),
            entropy=encode_floats(_pixel_major(maps[0])),
            surprisal=encode_floats(_pixel_major(maps[1])),
            probs=schemas.EncodedArray.of(_pixel_major(torch.cat(probs, 3)).numpy(), "uint16") if probs else None,
        )


def _pixel_major(values: Shaped[Tensor, "n c 1 m"]) -> Shaped[Tensor, "n m c"]:
    return values[:, :, 0].transpose(1, 2)
