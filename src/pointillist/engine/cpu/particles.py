"""Draw weighted histories of one image in compiled code, more of them in some rows than in others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import check_batch_memory, shared_inputs
from pointillist.engine.cpu.bytecode import Bytecode
from pointillist.engine.cpu.lowered import LoweredProgram
from pointillist.engine.cpu.particle_loop import ParticleArrays, draw_rows
from pointillist.engine.cpu.sampler import DrawSpec
from pointillist.engine.particles import ParticleBatch
from pointillist.engine.program import FloatArray, IntArray, Program


class CpuParticles:
    """A program ready to draw particles on the CPU.

        CpuParticles(program, DrawSpec("bernoulli", values, channels=1)).run(batch)

    Args:
        program: the program, recorded with the condition of one image (under guidance, and without it).
        draw: the distribution that its parameters give.
        transform: what is done to it.
    """

    def __init__(self, program: Program, draw: DrawSpec, transform: Transform = IDENTITY) -> None:
        self.program, self.draw, self.transform = program, draw, transform
        self._lowered = LoweredProgram.of(program)

    def run(self, batch: ParticleBatch) -> None:
        """Draw the rows of a batch one after the other, in place.

        Raises:
            EngineError: if the memory does not suffice.
            ValueError: if an array of the batch has another shape.
        """
        batch.check()
        changes = np.flatnonzero(np.diff(batch.counts)) + 1
        state: tuple[Bytecode, FloatArray] | None = None
        for first, last in pairwise([0, *changes.tolist(), len(batch.counts)]):
            ancestors = batch.regroup(first)
            batch.levels[: len(ancestors)] = batch.levels[ancestors]
            state = self._next_state(batch, len(ancestors), state, ancestors)
            self._draw_rows(batch, first, last, *state)

    def _next_state(
        self, batch: ParticleBatch, count: int, before: tuple[Bytecode, FloatArray] | None, ancestors: IntArray
    ) -> tuple[Bytecode, FloatArray]:
        """Return the bytecode of a number of particles, and their memory, continued from that of their ancestors."""
        copies = 1 + self.transform.is_guided
        height, width = batch.levels.shape[2:]
        bytecode = self._lowered.bytecode(copies * count, copies)
        check_batch_memory(bytecode.size * self.program.dtype.itemsize, count, height, width)
        inputs = shared_inputs(self.program, copies)
        repeated = {key: np.repeat(inputs[key], count, 0) for key in inputs.keys() - bytecode.shared}
        memory = bytecode.initial_memory(self.program.dtype, inputs | repeated)
        if before is not None:
            indices = np.concatenate([ancestors + copy * (before[0].batch // copies) for copy in range(copies)])
            for old, new in zip(before[0].states, bytecode.states, strict=True):
                _block(memory, bytecode, new)[...] = _block(before[1], before[0], old)[:, indices]
        return bytecode, memory

    def _draw_rows(self, batch: ParticleBatch, first: int, last: int, bytecode: Bytecode, memory: FloatArray) -> None:
        count = int(batch.counts[first])
        batch.log_evidence += draw_rows(
            bytecode.instructions(self._lowered.weights),
            memory,
            (*self.draw.settings(self.transform), self.draw.values),
            ParticleArrays(batch.levels[:count], batch.roles, batch.uniforms[:count], batch.log_weights),
            batch.draws,
            np.array(bytecode.states, np.int64).reshape(-1, 3),
            np.array([first, last]),
            bytecode.s_curve,
        )


def _block(memory: FloatArray, bytecode: Bytecode, state: tuple[int, int, int]) -> FloatArray:
    """Return a view of a state, `[slots, b, numbers]`."""
    start, slots, size = state
    return memory[start : start + slots * bytecode.batch * size].reshape(slots, bytecode.batch, size)
