"""Draw by rules with the library in C: compiled code steps through a row, and backtracking chooses the next one."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import Transform
from pointillist.engine.batch import DONE, STOP, SampleBatch
from pointillist.engine.c.library import BEST, chosen_level
from pointillist.engine.constraints.backtracking import Backtracking
from pointillist.engine.constraints.integer_rows import IntegerImages, sample_rows
from pointillist.engine.program import Program

_FUNCTIONS = ("pt_row", "pt_site", "pt_params", "pt_frequencies", "pt_write", "pt_post")


def sample_in_mask(
    run: Any, program: Program, batch: SampleBatch, transform: Transform, signal: NDArray[np.int64]
) -> None:
    """Fill in the levels of the unknown sub-pixels of a batch within its mask, and their frequencies.

    Args:
        run: the `Run` of the images (`run.py`), at the first pixel, with each image twice under guidance.
        batch: a batch with a mask that has begun the stage.
        signal: see `run_slices`.
    """
    mask, head, level, count = batch.mask, program.head, chosen_level(), len(batch.levels)
    assert mask is not None
    functions = [ctypes.cast(getattr(run.library, name), ctypes.c_void_p).value for name in _FUNCTIONS]
    library = np.array([run.address, run.lowered.address, *functions, BEST if level is None else level], np.int64)
    layout = np.array([program.num_sub_steps, program.canvas_width, program.s_curve], np.int64)
    copies = count * (1 + transform.is_guided)
    images = IntegerImages(
        levels=batch.levels,
        known=batch.known,
        uniforms=batch.uniforms,
        sizes=batch.sizes,
        params=np.empty((copies, program.params.channels), np.int32),
        pixels=np.zeros((copies, head.channels), np.int64),
        frequencies=np.empty((copies, head.levels), np.int64),
        canvas=np.empty((copies, program.canvas_width), np.int8),
        values=np.ascontiguousarray(program.canvas_values, np.int8),
        scratch=np.empty(3 * max(1, head.mixtures), np.int64),
    )
    numbers = transform.integer_array()
    rows = Backtracking(mask, batch.levels[:, 0], run.save, run.restore)
    for row in rows:
        signal[DONE] = rows.final_rows
        sample_rows(library, layout, images, numbers, mask.domains, np.array([row, row + 1]), signal)
        if signal[STOP]:
            return
    signal[DONE] = rows.final_rows
