"""Fill the hole of an image with several candidates, in one piece or window by window."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from pointillist.completion.canvas import Painter, window_seed
from pointillist.completion.result import Completions
from pointillist.errors import ConfigError, DataError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.pictures import sum_images
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import choose_engine
from pointillist.sampling.methods import choose_method, num_late
from pointillist.studio import schemas
from pointillist.studio.conversion import decode_conditions, decode_levels, decode_mask, sampled_image, sampling_request
from pointillist.studio.errors import too_large
from pointillist.studio.job_queue import EventHandler, Work
from pointillist.studio.jobs import LoadedModel, num_outputs

_PARTICLES = 64  # as many as `inpaint` takes
_FEW = 4  # effective particles: below that, hardly any history agrees with what is known


def make_fill(loaded: LoadedModel, request: schemas.FillRequest, limits: schemas.Limits) -> Work:
    """Validate a request to fill a hole, and return the work that draws its candidates.

    Raises:
        RequestError: if it is too large.
        ConfigError, ShapeError, DataError: naming what the model does not support.
    """
    model = loaded.model
    levels = decode_levels(model, request.start.levels, limits, canvas=True)
    size = (levels.shape[2], levels.shape[3])
    known = decode_mask(request.start.known, *size)
    if known.all():
        raise DataError("`known` keeps every pixel, so there is nothing to fill: leave at least one out.")
    method = _method(model, request, known, limits)
    seed = secrets.randbelow(2**31) if request.seed is None else request.seed
    filled = request.model_copy(update={"seed": seed, "method": method})
    return partial(_fill, loaded, filled, levels, known, _allowed(model, request.allowed, size))


def _fill(
    loaded: LoadedModel,
    request: schemas.FillRequest,
    levels: Int[np.ndarray, "1 c h w"],
    known: Bool[np.ndarray, "h w"],
    allowed: Bool[np.ndarray, "h w k"] | None,
    on_event: EventHandler,
    check: Callable[[], None],
    threads: int | None,
) -> schemas.FillResult:
    """Draw the candidates of a request with its seed and method; `check` is called after every row."""
    started, seed = time.perf_counter(), request.seed or 0
    whole = sampling_request(request, [request.conditions], threads=threads)
    completing = replace(whole, n=request.candidates, method=request.method, particles=_PARTICLES)
    painter = Painter(loaded.model, levels, replace(completing, on_row=lambda rows, x: check()))
    painter.fill_windows(known, lambda i: window_seed(seed, i) if i else seed, allowed=allowed)
    return _result(loaded, request, painter, time.perf_counter() - started)


def _result(loaded: LoadedModel, request: schemas.FillRequest, painter: Painter, seconds: float) -> schemas.FillResult:
    model, parts, last = loaded.model, painter.parts, painter.parts[-1]
    late = [num_late(model, part.known[0], model.order(part.order)) for part in parts if part.method == "sequential"]
    ignored, worst = sum(late) // model.image.channels, min(part.ess for part in parts)
    whole, nats = _whole_nats(model, request, painter), painter.nats
    candidates = [
        schemas.Candidate(
            image=sampled_image(model, painter.levels[i], float(whole[i])), bits=-float(nats[i]) / math.log(2), number=i
        )
        for i in (range(len(nats)) if request.pick is None else [request.pick])
    ]
    filled = request.model_copy(update={"engine": last.engine})
    return schemas.FillResult(
        candidates=candidates,
        method=last.method,
        exact=all(part.is_exact for part in parts),
        order=last.order,
        seed=request.seed or 0,
        ignored=ignored,
        ess=worst,
        seconds=seconds,
        message=_sentence(last, worst, ignored, len(parts)),
        manifest=loaded.manifest(filled, [candidate.image for candidate in candidates]),
    )


def _whole_nats(model: LikelihoodModel, request: schemas.FillRequest, painter: Painter) -> Float[np.ndarray, " n"]:
    """Log-likelihood of each image; of the hole alone, where the model has none for images of this size."""
    levels, last = painter.levels, painter.parts[-1]
    size = (levels.shape[2], levels.shape[3])
    if model.fixed_size and size != (model.image.height, model.image.width):
        return painter.nats
    inputs = decode_conditions(model, request.conditions, size)[0][np.zeros(len(levels), np.int64)]
    scorer = model.scorer("integer" if last.engine == "integer" else "torch", size)
    return sum_images(scorer.unchecked_log_prob_map(levels, inputs, model.order(last.order)))


def _method(
    model: LikelihoodModel, request: schemas.FillRequest, known: Bool[np.ndarray, "h w"], limits: schemas.Limits
) -> str:
    """Return the method of a hole in one piece, of which the memory allows particles; as it is named, in windows.

    Raises:
        RequestError: if the candidates take more memory.
    """
    image = model.image
    shown = known[: image.height, : image.width] if model.fixed_size else known
    engine = choose_engine(model, request.engine, (shown.shape[0], shown.shape[1]))
    mask = np.broadcast_to(shown, (image.channels, *shown.shape))
    method = choose_method(model, mask, request.method, request.order, engine)[0]
    tables = 0 if image.is_deep else 2 * image.channels * image.levels  # of 16 bits no tables are kept
    per_image = shown.size * (num_outputs(model, "torch") + tables)
    if method == "smc" and request.method == "auto" and _PARTICLES * per_image > limits.numbers:
        method = "sequential"
    numbers = (_PARTICLES if method == "smc" else request.candidates) * per_image
    if numbers > limits.numbers:
        raise too_large("The numbers of this job", numbers, limits.numbers, "take fewer candidates or a smaller size")
    return method if shown.shape == known.shape else request.method


def _allowed(
    model: LikelihoodModel, regions: list[schemas.AllowedLevels], size: tuple[int, int]
) -> Bool[np.ndarray, "h w k"] | None:
    """Join the regions to the levels that each pixel may have."""
    count = model.image.levels
    allowed = np.ones((*size, count), bool)
    for region in regions:
        mask = decode_mask(region.region, *size, name="region")
        if max(region.levels) >= count:
            raise ConfigError(f"`levels` (up to {max(region.levels)}) of a region must be below {count}.")
        allowed[mask] &= np.isin(np.arange(count), region.levels)
    return allowed if regions else None


def _sentence(out: Completions, ess: float, ignored: int, parts: int) -> str:
    if out.method == "known":
        how = "Exact: the model was trained to complete images, and every known pixel counts"
    elif out.method == "order":
        how = f"Exact: the hole comes last in the order {out.order}, so every known pixel counts"
    elif out.method == "smc":
        how = f"By Sequential Monte Carlo: what follows the hole counts (effective sample size {ess:.0f})"
        if ess < _FEW:
            how += ", but hardly any candidate agrees with it, so the fit may be poor"
    else:
        how = f"In the order {out.order}"
        how += (
            f", ignoring {ignored} known pixels that come after the hole: its far edge may not fit" if ignored else ""
        )
    return f"{how}{f'; in {parts} windows' if parts > 1 else ''}."
