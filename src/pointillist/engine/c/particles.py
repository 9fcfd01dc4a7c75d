"""Draw particles of an integer program by the library in C, more of them in some rows than in others."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import Transform
from pointillist.engine.batch import prepare_inputs, run_slices
from pointillist.engine.c.run import Run
from pointillist.engine.library import aligned
from pointillist.engine.particles import ParticleBatch
from pointillist.engine.program import IntArray, Program

_I64, _POINTER = ctypes.c_int64, ctypes.c_void_p


class _Particles(ctypes.Structure):
    """`pt_particles`."""

    _fields_ = (
        ("count", _I64),
        *((name, _POINTER) for name in ("levels", "roles", "uniforms", "draws", "weights", "exponents")),
        ("marginal", ctypes.c_double),
        ("marginal_exponent", _I64),
        ("mask", _POINTER),
        ("factors", _POINTER),
        ("first", _I64),
    )


def draw_particles_in_c(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: ParticleBatch,
    transform: Transform,
    mask: Any,
    on_row: Callable[[int], None] | None,
) -> None:
    """Draw the particles of an image, in place; see `engine.sampler`."""
    size = (batch.levels.shape[2], batch.levels.shape[3])
    inputs = prepare_inputs(program, 1 + transform.is_guided, inputs, size)

    def run(_: int, part: slice, signal: NDArray[np.int64]) -> None:
        changes = np.flatnonzero(np.diff(batch.counts)) + 1
        before: Run | None = None
        for first, last in pairwise([0, *changes.tolist(), len(batch.counts)]):
            if signal[0]:
                return
            before = _next_run(program, inputs, batch, transform, first, before)
            _draw_rows(before, batch, transform, mask, (first, last), signal)

    run_slices(run, [slice(0, 1)], on_row)


def _next_run(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: ParticleBatch,
    transform: Transform,
    row: int,
    before: Run | None,
) -> Run:
    """Begin the run of the particles of a row, which continue from the states of their ancestors."""
    count, copies = int(batch.counts[row]), 1 + transform.is_guided
    ancestors = batch.regroup(row)
    batch.levels[:count] = batch.levels[ancestors]
    repeated = {name: np.repeat(array, count, 0) for name, array in inputs.items()}
    size = (batch.levels.shape[2], batch.levels.shape[3])
    run = Run(program, copies * count, size, repeated)
    if before is not None:
        indices = np.concatenate([ancestors + copy * (before.batch // copies) for copy in range(copies)])
        for block, old in zip(run.blocks(), before.blocks(), strict=True):
            block[...] = old[:, indices]
    return run


def _draw_rows(
    run: Run, batch: ParticleBatch, transform: Transform, mask: Any, rows: tuple[int, int], signal: NDArray[np.int64]
) -> None:
    count, weights, marginal = int(batch.counts[rows[0]]), batch.weights, batch.marginal
    arrays = (batch.levels[:count], batch.roles, batch.uniforms[:count], batch.draws)
    pointers = [array.ctypes.data for array in (*arrays, weights.mantissas, weights.exponents)]
    factors = None if batch.factors is None else batch.factors.ctypes.data
    where = (None, factors, 0) if mask is None else (mask.address, factors, 0)
    particles = _Particles(count, *pointers, float(marginal.mantissas[0]), int(marginal.exponents[0]), *where)
    address, numbers = ctypes.addressof(particles), transform.integer_array()
    memory = aligned(run.library.pt_particles_memory(run.address, address))
    pointer = None if transform.is_identity else numbers.ctypes.data
    last = (memory.ctypes.data, signal.ctypes.data)
    fits = run.library.pt_draw_particles(run.address, address, pointer, *rows, *last)
    assert fits, "particles that do not fit"
    marginal.mantissas[0], marginal.exponents[0] = particles.marginal, particles.marginal_exponent
