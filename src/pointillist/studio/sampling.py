"""Sampling with events: run a job and report pixels as they are sampled, batched by time, or after all are drawn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from pointillist.completion.canvas import Painter, tile
from pointillist.completion.vary import redraw
from pointillist.images.array_types import Float, Int, Shaped
from pointillist.images.pictures import sum_images
from pointillist.model.folder.image_sources import SingleImage
from pointillist.model.protocols import Distributions
from pointillist.studio import schemas
from pointillist.studio.conversion import encode_floats, encode_levels, sampled_image
from pointillist.studio.jobs import SamplingJob, num_outputs

EVENT_INTERVAL = 0.03  # seconds between events: as often as a screen shows something new
_EVENT_NUMBERS, _BLOCK_NUMBERS = 4_000_000, 100_000  # probabilities per event, and per block of work
_LEAST = -1e4  # log-probability of a level that is impossible, in sums over levels

Read = Callable[[np.ndarray, np.ndarray], Distributions]
"""Makes distributions of outputs `[n p 1 m]` and levels `[n c 1 m]`."""
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
    job = job.ready(threads)
    # 16 bits: the tables of all pixels, which are kept while they are drawn, would not fit in memory
    in_advance = job.request.in_advance or job.draws.model.image.is_deep
    levels, nats = (_show_in_advance if in_advance else _show)(job, emit, check)
    return [sampled_image(job.draws.model, levels[i], float(nats[i])) for i in range(len(levels))]


def finish_job(job: SamplingJob, emit: Emit, check: Callable[[], None], threads: int | None = None) -> schemas.Finished:
    """Run a job, and return its images with their manifest; see `run_job`."""
    started = time.perf_counter()
    images = run_job(job, emit, check, threads)
    seconds = time.perf_counter() - started
    return schemas.Finished(seconds=seconds, images=images, manifest=job.loaded.manifest(job.request, images))


def _show(job: SamplingJob, emit: Emit, check: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images, and report pixels meanwhile; return levels and log-likelihoods."""
    model, (height, width), count = job.draws.model, job.draws.size, len(job.request.samples)
    num_params = num_outputs(model, job.request.engine)
    outputs = np.full((count, *job.draws.order.raster_size(height, width), num_params), np.nan, np.float32)
    scorer = job.draws.scorer
    read = None if scorer.engine == "integer" else scorer.distributions_from
    emit(_started_event(job))  # when nothing of the request can fail
    batcher = _EventBatcher(job, read, outputs, emit, check)
    drawn = job.draw(batcher.on_row, outputs)
    batcher.flush(drawn.levels)
    return drawn.levels, drawn.nats if job.draws.observed is None else _nats(job, drawn.levels)


def _show_in_advance(job: SamplingJob, emit: Emit, check: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images, and then report all of their pixels; return levels and log-likelihoods."""
    levels = _draw_in_advance(job, check)
    scorer, inputs = job.draws.scorer, job.draws.encoded
    emit(_started_event(job))
    images = (scorer.distributions(levels[[i]], inputs[i : i + 1], job.draws.order) for i in range(len(levels)))
    params = np.concatenate([each.params for each in images])
    outputs = np.moveaxis(job.draws.order.array_to_raster(params), 1, -1)
    _EventBatcher(job, scorer.distributions_from, outputs, emit, check).flush(levels)
    return levels, _nats(job, levels)


def _draw_in_advance(job: SamplingJob, check: Callable[[], None]) -> Int[np.ndarray, "n c h w"]:
    """Draw the images of a job: the same images as `pointillist.sample`.

    Args:
        check: called after every row; an exception that it raises ends the job.

    Raises:
        ConfigError: if no map obeys the rules.
    """
    request, model = job.request, job.draws.model

    def on_row(rows: int, levels: Int[np.ndarray, "b c h w"]) -> None:
        check()

    if request.redraws:
        # variation `index` of `pointillist.vary` with the seed of the sample
        parts = []
        for spec in request.samples:
            assert spec.variation is not None
            assert spec.variation.levels is not None
            read = SingleImage(spec.variation.levels.array().astype(np.int64)[None])
            parts.append(redraw(model, read, job.completing(spec, on_row), spec.variation.strength).levels)
        return np.concatenate(parts)
    levels: Int[np.ndarray, "n c h w"] = job.draw(on_row).levels
    if request.seamless is None:
        return levels
    # image `index` of `pointillist.sample` with the seed of the sample
    bands = zip(levels[:, None], request.samples, strict=True)
    parts = [tile(Painter(model, x, job.completing(spec, on_row)), request.seamless).levels for x, spec in bands]
    return np.concatenate(parts)


def _started_event(job: SamplingJob) -> schemas.Started:
    height, width = job.draws.size
    return schemas.Started(
        engine=job.request.engine,
        order=job.draws.order.name,
        height=height,
        width=width,
        seeds=[spec.seed or 0 for spec in job.request.samples],
        sequence=job.sequence.tolist(),
        notes=list(job.draws.prompts.notes) if job.draws.prompts else [],
    )


def _nats(job: SamplingJob, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
    """Log-likelihood of images that were partly known."""
    return sum_images(job.draws.scorer.unchecked_log_prob_map(levels, job.draws.encoded, job.draws.order))


class _EventBatcher:
    """Emits new pixels, once per `EVENT_INTERVAL` at most, and the rest at the end."""

    def __init__(
        self,
        job: SamplingJob,
        read: Read | None,  # None: the outputs are log-probabilities of levels, channel by channel
        outputs: Shaped[np.ndarray, "n h2 w2 p"],
        emit: Emit,
        check: Callable[[], None],
    ) -> None:
        self._job, self._read, self._emit, self._check = job, read, emit, check
        self._outputs = outputs.reshape(len(outputs), -1, outputs.shape[-1])
        pixels = np.arange(job.draws.size[0] * job.draws.size[1]).reshape(job.draws.size)
        raster_index = np.argsort(job.draws.order.array_to_raster(pixels), axis=None)
        self._raster_indices = raster_index[job.sequence]  # index of each pixel of the sequence in `outputs`
        # probabilities of a pixel of all samples; each component of a mixture has its own table
        table = job.draws.model.image.levels * max(1, job.draws.model.mixtures)
        scorer = job.draws.scorer
        # 16 bits: most levels have a frequency of 1, and no table of them is shown
        self._counted = scorer.engine == "integer" and job.draws.model.image.is_deep and not job.request.distributions
        self._numbers = len(outputs) * (job.draws.model.image.levels // 16 if self._counted else table)
        self._sent = 0
        self._due = time.monotonic() + EVENT_INTERVAL  # an image that takes less is a single event

    def on_row(self, rows: int, levels: Int[np.ndarray, "b c h w"]) -> None:
        """Handle a finished row."""
        self._check()
        if time.monotonic() < self._due:
            return
        waiting = np.isnan(self._outputs[0, self._raster_indices[self._sent :], 0])
        ready = int(waiting.argmax()) if waiting.any() else len(waiting)
        self._send(self._sent + ready, levels)
        self._due = time.monotonic() + EVENT_INTERVAL

    def flush(self, levels: Int[np.ndarray, "b c h w"]) -> None:
        """Emit all remaining pixels."""
        self._send(len(self._job.sequence), levels)

    def _send(self, stop: int, levels: Int[np.ndarray, "b c h w"]) -> None:
        """Emit pixels up to `stop`, in events of at most `_EVENT_NUMBERS` probabilities."""
        step = max(1, _EVENT_NUMBERS // self._numbers)
        count = len(self._outputs)
        while self._sent < stop:
            part = slice(self._sent, min(stop, self._sent + step))
            # contiguous: a softmax over few levels is several times as fast across the pixels
            params = np.ascontiguousarray(np.moveaxis(self._outputs[:, self._raster_indices[part]], -1, 1)[:, :, None])
            x = levels[:count].reshape(count, levels.shape[1], -1)[:, :, self._job.sequence[part]][:, :, None]
            self._emit(self._pixels_event(part.start, params, x))
            self._sent = part.stop

    def _pixels_event(
        self, first: int, params: Shaped[np.ndarray, "n p 1 m"], x: Int[np.ndarray, "n c 1 m"]
    ) -> schemas.Pixels:
        """Make an event; tables of probabilities are made in blocks that stay in the cache."""
        step = max(1, _BLOCK_NUMBERS // self._numbers)
        parts = [self._tables(params[..., i : i + step], x[..., i : i + step]) for i in range(0, params.shape[3], step)]
        entropy, surprisal, probs = (np.concatenate(arrays, 3) for arrays in zip(*parts, strict=True))
        return schemas.Pixels(
            first=first,
            count=x.shape[3],
            levels=encode_levels(self._job.draws.model, _pixel_major(x)),
            entropy=encode_floats(_pixel_major(entropy)),
            surprisal=encode_floats(_pixel_major(surprisal)),
            probs=schemas.EncodedArray.of(_pixel_major(probs), "uint16") if self._job.request.distributions else None,
        )

    def _tables(
        self, params: Shaped[np.ndarray, "n p 1 m"], x: Int[np.ndarray, "n c 1 m"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return entropy and surprisal in bits `[n c 1 m]`, and probabilities of levels in steps of 2^-16."""
        distributions = None if self._read is None else self._read(params, x)
        if self._counted and distributions is not None:
            nats = distributions.moments(0)[0][:, None], -distributions.log_prob()
            return nats[0] / math.log(2), nats[1] / math.log(2), np.zeros((len(x), 0, *x.shape[2:]))
        channels = range(x.shape[1])
        logs = (
            np.split(params, len(channels), 1) if distributions is None else [*map(distributions.conditional, channels)]
        )
        probs = [np.exp(table) for table in logs]
        pairs = zip(probs, logs, strict=True)
        entropy = [-(p * np.maximum(log_p, _LEAST)).sum(1) for p, log_p in pairs]
        chosen = [np.take_along_axis(table, x[:, i : i + 1], 1)[:, 0] for i, table in enumerate(logs)]
        shares = (
            np.concatenate(probs, 1) if self._job.request.distributions else np.zeros((*x.shape[:1], 0, *x.shape[2:]))
        )
        return np.stack(entropy, 1) / math.log(2), -np.stack(chosen, 1) / math.log(2), np.rint(shares * 65_535)


def _pixel_major(values: Shaped[np.ndarray, "n c 1 m"]) -> Shaped[np.ndarray, "n m c"]:
    return values[:, :, 0].swapaxes(1, 2)
