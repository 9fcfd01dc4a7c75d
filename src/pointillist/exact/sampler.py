"""Sample whole batches of an exact program by inverse CDF, in integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pointillist.exact.executors import is_compiled, open_steps
from pointillist.exact.numpy.run import check_inputs
from pointillist.exact.program import ExactProgram, IntArray


def draw(found: IntArray, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw levels `[b]` from frequencies `[b, k]`: the first whose cumulative sum exceeds floor(u * total)."""
    target = np.floor(uniforms * found.sum(axis=1)).astype(np.int64)
    drawn: NDArray[np.int64] = (found.cumsum(axis=1) <= target[:, None]).sum(axis=1)
    return drawn


def sample_batch(
    program: ExactProgram,
    inputs: Mapping[str, IntArray],
    levels: NDArray[np.int64],
    known: NDArray[np.bool_],
    uniforms: NDArray[np.float64],
    nats: NDArray[np.float64],
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
    executor: str = "auto",
) -> None:
    """Fill in the unknown sub-pixels of a batch, in the raster frame.

    Args:
        inputs: conditions as integers.
        levels: `[b, c, h, w]`, filled in place; kept where `known`.
        known: of the same shape. Known sub-pixels add no nats.
        uniforms: in [0, 1), of the same shape.
        nats: log-likelihood of each image under the exact program, to which the draws add.
        on_row: called with the number of finished rows.
        threads: how many share the batch; the result is the same for any number.
        executor: `auto`, `compiled` or `numpy`; the result is the same.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    batch, _, height, width = levels.shape
    if is_compiled(program, executor):
        from pointillist.exact.machine.run import sample_compiled

        inputs = check_inputs(program, batch, height, width, inputs)
        sample_compiled(program, inputs, levels, known, uniforms, nats, on_row, threads)
        return
    steps = open_steps(program, batch, height, width, inputs, executor)
    everyone, done = np.arange(batch), 0
    while not steps.done:
        row, column, channel = steps.site
        if row > done and on_row is not None:
            on_row(row)
        done = row
        given = known[:, channel, row, column]
        if not given.all():
            found = steps.frequencies()
            drawn = draw(found, uniforms[:, channel, row, column])
            levels[~given, channel, row, column] = drawn[~given]
            chances = found[everyone, levels[:, channel, row, column]] / 2.0**program.head.precision
            nats += np.where(given, 0.0, np.log(chances))
        steps.observe(levels[:, channel, row, column])
    if on_row is not None:
        on_row(height)
