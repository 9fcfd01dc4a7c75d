"""Sample whole batches of an integer program by inverse CDF, in integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.batch import SampleBatch
from pointillist.engine.integer.executors import choose_executor, open_steps
from pointillist.engine.integer.frequencies import draw
from pointillist.engine.integer.numpy.run import check_inputs
from pointillist.engine.integer.transforms import DrawTransform
from pointillist.engine.program import IntArray, Program


def log_probs(program: Program, result: IntArray) -> NDArray[np.float64]:
    """Return the log-probabilities of levels from their frequencies, in nats."""
    return np.asarray(np.log(result) - program.head.precision * np.log(2.0))


def sample_batch(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: DrawTransform | None = None,
    *,
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
    executor: str = "auto",
) -> None:
    """Fill in the unknown sub-pixels of a batch, in the raster frame.

    Args:
        inputs: conditions as integers; under guidance those of the images, and then those of the reference.
        batch: levels and nats are filled in place, and `params` with the log-probabilities of all levels. Known
            sub-pixels add no nats.
        transform: guidance, temperature and top-p; None draws from the frequencies themselves, in integers.
        on_row: called with the number of finished rows.
        threads: how many share the batch; the result is the same for any number. One draws with a `transform`.
        executor: one of `EXECUTORS`; the result is the same.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    count, _, height, width = batch.levels.shape
    changed = transform is not None and transform.changes
    if changed or batch.params is not None:
        _step(program, inputs, batch, transform if changed else None, on_row, executor)
        return
    match choose_executor(program, executor):
        case "numpy":
            _step(program, inputs, batch, None, on_row, executor)
        case "compiled":
            from pointillist.engine.integer.compiled.run import sample_compiled

            sample_compiled(program, check_inputs(program, count, height, width, inputs), batch, on_row, threads)
        case "torch":
            from pointillist.engine.torch.device import device_of
            from pointillist.engine.torch.integers import sample_integers

            checked = check_inputs(program, count, height, width, inputs)
            sample_integers(program, checked, batch, device_of(executor), on_row)


def _step(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: DrawTransform | None,
    on_row: Callable[[int], None] | None,
    executor: str,
) -> None:
    """Draw one sub-pixel after the other; under guidance both copies of an image get its level."""
    count, _, height, width = batch.levels.shape
    copies = 2 if transform is not None and transform.guided else 1
    steps = open_steps(program, copies * count, height, width, inputs, executor)
    everyone, done = np.arange(count), 0
    while not steps.done:
        row, column, channel = steps.site
        if row > done and on_row is not None:
            on_row(row)
        done = row
        given, levels = batch.known[:, channel, row, column], batch.levels[:, channel, row, column]
        if not given.all():
            result, uniforms = steps.frequencies(), batch.uniforms[:, channel, row, column]
            if batch.params is not None:
                first = channel * program.head.levels
                batch.params[:, row, column, first : first + program.head.levels] = log_probs(program, result[:count])
            drawn = draw(result, uniforms) if transform is None else transform.draw(result, uniforms)
            levels[~given] = drawn[~given]
            chances = result[everyone, levels] / 2.0**program.head.precision
            batch.nats += np.where(given, 0.0, np.log(chances))
        steps.observe(np.tile(levels, copies))
    if on_row is not None:
        on_row(height)
