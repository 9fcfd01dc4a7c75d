"""Sample whole batches of an integer program by inverse CDF, in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch, sum_images
from pointillist.engine.executors import choose_executor, open_steps
from pointillist.engine.head.frequencies import draw, log_probs, targets_of
from pointillist.engine.head.transform import transform_frequencies
from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper


def sample_batch(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: Transform = IDENTITY,
    *,
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
    executor: str = "auto",
) -> None:
    """Fill in the unknown sub-pixels of a batch, in the raster frame.

    Args:
        inputs: conditions as integers; under guidance those of the images, and then those of the reference.
        batch: levels and nats are filled in place, and `params` with the log-probabilities of all levels. Known
            sub-pixels add no nats. A mask has begun the stage.
        transform: guidance, temperature and top-p; the identity draws from the frequencies themselves, in integers.
        on_row: called with the number of finished rows.
        threads: how many share the batch; the result is the same for any number. Numpy and torch have one.
        executor: one of `EXECUTORS`; the result is the same.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    precision = program.head.precision
    batch.sizes = np.full(batch.levels.shape, 1 << precision)  # known sub-pixels are certain
    _fill(program, inputs, batch, transform, on_row, threads, executor)
    batch.nats += sum_images(log_probs(batch.sizes, precision))


def _fill(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: Transform,
    on_row: Callable[[int], None] | None,
    threads: int,
    executor: str,
) -> None:
    """Fill in the levels of a batch and their frequencies."""
    chosen = choose_executor(program, executor)
    if chosen == "compiled":
        from pointillist.engine.c.run import sample_in_c

        sample_in_c(program, inputs, batch, transform, on_row, threads)
    else:
        _step(program, inputs, batch, transform, on_row, executor)


def _step(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: Transform,
    on_row: Callable[[int], None] | None,
    executor: str,
) -> None:
    """Draw one sub-pixel after the other; under guidance both copies of an image get its level."""
    count, _, height, width = batch.levels.shape
    steps = open_steps(program, count * (1 + transform.is_guided), height, width, inputs, executor)
    reported = 0
    for row, final in _rows(batch, steps.save, steps.restore):
        while on_row is not None and reported < final:
            reported += 1
            on_row(reported)
        while not steps.done and steps.site[0] == row:
            _draw_sub_pixel(program, steps, batch, transform)


def _rows(batch: SampleBatch, save: Callable[[], Any], restore: Callable[[Any], None]) -> Iterator[tuple[int, int]]:
    """Yield rows to draw, and how many are final by then; a mask may yield some again. The last is the height."""
    height = batch.levels.shape[2]
    if batch.mask is None:
        yield from zip(range(height), range(height), strict=True)
    else:
        from pointillist.engine.constraints.backtracking import Backtracking

        rows = Backtracking(batch.mask, batch.levels[:, 0], save, restore)
        for row in rows:
            yield row, rows.final_rows
    yield height, height


def _draw_sub_pixel(program: Program, steps: ProgramStepper, batch: SampleBatch, transform: Transform) -> None:
    """Draw the current sub-pixel of every image where it is not known, and observe it."""
    (row, column, channel), count, precision = steps.site, len(batch.levels), program.head.precision
    known, levels = batch.known[:, channel, row, column], batch.levels[:, channel, row, column]
    if not known.all():
        site, uniforms = steps.distribution(), np.ascontiguousarray(batch.uniforms[:, channel, row, column])
        if batch.params is not None:
            first = channel * program.head.levels
            tables = log_probs(site[:count].frequencies(), precision)
            batch.params[:, row, column, first : first + program.head.levels] = tables
        if batch.mask is not None:
            place = batch.mask.site(row, column)
            drawn = batch.mask.draw_integers(channel, place, site.frequencies(), uniforms, transform)
        elif transform.is_identity:
            drawn = site.level_at(targets_of(uniforms, precision))
        else:
            drawn = draw(transform_frequencies(site.frequencies(), transform), uniforms)
        levels[~known] = drawn[~known]
        assert batch.sizes is not None
        batch.sizes[~known, channel, row, column] = site[:count].interval(levels)[1][~known]
    steps.observe(np.tile(levels, steps.batch // count))
