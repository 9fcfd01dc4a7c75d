"""Fill the hole of an image with several candidates, in one piece or window by window."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pointillist.completion.api import complete_images
from pointillist.completion.canvas import windows
from pointillist.completion.methods import choose_method, num_late
from pointillist.completion.result import Completions
from pointillist.conditioning import ConditionInputs
from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.errors import ConfigError, DataError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import resolve_engine
from pointillist.studio import schemas
from pointillist.studio.conversion import (
    check_pixels,
    decode_canvas,
    decode_conditions,
    decode_mask,
    drawing_keywords,
    sampled_image,
)
from pointillist.studio.errors import too_large

Sign = Callable[[schemas.FillRequest, list[str]], schemas.SampleManifest]
"""Makes the manifest of a completed request and the hashes of its images."""

_PARTICLES = 64  # as many as `inpaint` takes
_FEW = 4  # effective particles: below that, hardly any history agrees with what is known


@dataclass(frozen=True)
class FillJob:
    """A valid request to fill the hole of an image.

    Attributes:
        model: the model to sample from.
        request: the request, with its seed filled in.
        levels: the image.
        known: pixels to keep.
        allowed: levels that each pixel may have; None for all.
        method: name of the method.
        sign: makes the manifest of a completed request and the hashes of its images.
    """

    model: LikelihoodModel
    request: schemas.FillRequest
    levels: Int[np.ndarray, "c h w"]
    known: Bool[np.ndarray, "h w"]
    allowed: Bool[np.ndarray, "h w k"] | None
    method: str
    sign: Sign

    def __call__(self, on_event: object, check: Callable[[], None], threads: int | None) -> schemas.FillResult:
        """Draw the candidates; `check` is called after every row, and its exceptions end the job."""
        started, count = time.perf_counter(), self.request.candidates
        levels = np.repeat(self.levels[None], count, 0)
        nats, parts = np.zeros(count), []
        known = self.known.copy()
        for number, window in enumerate(self._windows()):
            if known[window].all():
                continue
            part = levels[:, :, window[0], window[1]]
            out = self._complete(part, known[window].copy(), window, number, lambda rows, x: check(), threads)
            part[...] = out.levels
            known[window] = True
            nats = nats + out.nats
            parts.append(out)
        return self._result(levels, nats, parts, time.perf_counter() - started)

    def _windows(self) -> list[tuple[slice, slice]]:
        """List the windows in which to fill: the whole image, where the model takes its size."""
        size = (self.known.shape[0], self.known.shape[1])
        trained = (self.model.image.height, self.model.image.width)
        if not self.model.fixed_size or size == trained:
            return [(slice(None), slice(None))]
        rows, columns = np.nonzero(self.known)
        corner = (int(rows.min(initial=0)), int(columns.min(initial=0)))
        start = min(corner[0], size[0] - trained[0]), min(corner[1], size[1] - trained[1])
        return list(windows(size, trained, start))

    def _complete(
        self,
        levels: Int[np.ndarray, "n c h w"],
        known: Bool[np.ndarray, "h w"],
        window: tuple[slice, slice],
        number: int,
        on_row: Callable[[int, np.ndarray], None],
        threads: int | None,
    ) -> Completions:
        request = self.request
        seed = request.seed or 0
        if number:
            seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        return complete_images(
            self.model,
            levels,
            known,
            self.method,
            None if self.allowed is None else self.allowed[window],
            seed=seed,
            particles=_PARTICLES,
            on_row=on_row,
            threads=threads,
            order=request.order,
            engine=request.engine,
            **drawing_keywords(self.model, request, request.conditions, (known.shape[0], known.shape[1])),
        )

    def _result(
        self,
        levels: Int[np.ndarray, "n c h w"],
        nats: Float[np.ndarray, " n"],
        parts: list[Completions],
        seconds: float,
    ) -> schemas.FillResult:
        last = parts[-1]
        in_order = [part for part in parts if part.method == "sequential"]
        ignored = sum(num_late(self.model, part.known, self.model.order(part.order)) for part in in_order)
        worst = min(parts, key=lambda part: part.ess)
        candidates = self._candidates(levels, nats, last)
        request = self.request.model_copy(update={"method": self.method, "engine": last.engine})
        return schemas.FillResult(
            candidates=candidates,
            method=last.method,
            exact=all(part.is_exact for part in parts),
            order=last.order,
            seed=self.request.seed or 0,
            ignored=ignored // levels.shape[1],
            ess=worst.ess,
            seconds=seconds,
            message=_sentence(last, worst.ess, ignored // levels.shape[1], len(parts)),
            manifest=self.sign(request, [candidate.image.sha256 for candidate in candidates]),
        )

    def _candidates(
        self, levels: Int[np.ndarray, "n c h w"], nats: Float[np.ndarray, " n"], last: Completions
    ) -> list[schemas.Candidate]:
        """Encode the filled images, with the likelihood of each as a whole."""
        pick, size = self.request.pick, (levels.shape[2], levels.shape[3])
        chosen = range(len(levels)) if pick is None else [pick]
        whole = nats  # of the hole alone, where the model has no likelihood for images of this size
        if not self.model.fixed_size or size == (self.model.image.height, self.model.image.width):
            distinct, which = np.unique(levels, axis=0, return_inverse=True)
            inputs = ConditionInputs.concat(
                [decode_conditions(self.model, self.request.conditions, size)] * len(distinct)
            )
            scorer = self.model.scorer("integer" if last.engine == "integer" else "torch", size)
            maps = scorer.unchecked_log_prob_map(distinct, inputs, self.model.order(last.order))
            whole = maps.reshape(len(maps), -1).sum(1)[which.reshape(-1)]
        return [
            schemas.Candidate(
                image=sampled_image(self.model, levels[i], float(whole[i])),
                bits=-float(nats[i]) / math.log(2),
                number=i,
            )
            for i in chosen
        ]


def make_fill(model: LikelihoodModel, request: schemas.FillRequest, limits: schemas.Limits, sign: Sign) -> FillJob:
    """Validate a request to fill a hole; `sign` makes the manifest of the result.

    Raises:
        RequestError: if it is too large.
        ConfigError, ShapeError, DataError: naming what the model does not support.
    """
    levels = decode_canvas(model, request.start.levels, limits)
    height, width = levels.shape[1:]
    check_pixels(height, width, limits)
    known = decode_mask(request.start.known, height, width)
    if known.all():
        raise DataError("`known` keeps every pixel, so there is nothing to fill: leave at least one out.")
    filled = request.model_copy(update={"seed": secrets.randbelow(2**31) if request.seed is None else request.seed})
    allowed = _allowed(model, request.allowed, (height, width))
    job = FillJob(model, filled, levels, known, allowed, request.method, sign)
    window = job._windows()[0]
    shown = _channels(known[window], model.image.channels)
    engine = resolve_engine(model, request.engine, (shown.shape[1], shown.shape[2]))
    method = choose_method(model, shown, request.method, request.order, engine)[0].name
    image = model.image
    num_params = LIKELIHOODS[model.likelihood_name].num_params(image.channels, image.levels, model.mixtures)
    tables = 0 if image.is_deep else 2 * image.channels * image.levels  # of 16 bits no tables are kept
    per_image = known[window].size * (num_params + tables)
    if method == "smc" and request.method == "auto" and _PARTICLES * per_image > limits.numbers:
        method = "sequential"
    numbers = (_PARTICLES if method == "smc" else request.candidates) * per_image
    if numbers > limits.numbers:
        raise too_large("The numbers of this job", numbers, limits.numbers, "take fewer candidates or a smaller size")
    return replace(job, method=method if len(job._windows()) == 1 else request.method)


def _channels(known: Bool[np.ndarray, "h w"], channels: int) -> Bool[np.ndarray, "c h w"]:
    return np.broadcast_to(known, (channels, *known.shape))


def _allowed(
    model: LikelihoodModel, regions: list[schemas.AllowedLevels], size: tuple[int, int]
) -> Bool[np.ndarray, "h w k"] | None:
    """Join the regions to the levels that each pixel may have."""
    if not regions:
        return None
    count = model.image.levels
    allowed = np.ones((*size, count), bool)
    for region in regions:
        mask = decode_mask(region.region, *size, name="region")
        if max(region.levels) >= count:
            raise ConfigError(f"`levels` (up to {max(region.levels)}) of a region must be below {count}.")
        present = np.zeros(count, bool)
        present[region.levels] = True
        allowed[mask] &= present
    return allowed


def _sentence(out: Completions, ess: float, ignored: int, parts: int) -> str:
    """Say how a hole was filled."""
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
