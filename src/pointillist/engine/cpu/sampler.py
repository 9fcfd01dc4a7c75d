"""Sample whole images in compiled code: a batch is split over threads, with progress and interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import (
    SampleBatch,
    check_batch_memory,
    prepare_inputs,
    run_slices,
    split_batch,
)
from pointillist.engine.cpu.bytecode import Bytecode
from pointillist.engine.cpu.kernels.inverse_cdf import BERNOULLI, CATEGORICAL, FACTORED, MIXTURE
from pointillist.engine.cpu.lowered import LoweredProgram
from pointillist.engine.cpu.sample_loop import ImageArrays, sample_images
from pointillist.engine.program import FloatArray, IntArray, Program

KINDS = {"bernoulli": BERNOULLI, "categorical": CATEGORICAL, "factored": FACTORED, "mixture": MIXTURE}


@dataclass(frozen=True)
class DrawSpec:
    """The distribution at a site.

    Attributes:
        kind: `bernoulli`, `categorical`, `factored` or `mixture`.
        values: canvas values of each level, `[levels, e]`.
        channels: of a pixel.
        mixtures: components of a mixture.
        min_log_scale: least log-scale of a component, a whole number.
    """

    kind: str
    values: FloatArray
    channels: int
    mixtures: int = 0
    min_log_scale: int = -7

    def settings(self, transform: Transform) -> tuple[IntArray, NDArray[np.float64]]:
        """Return distribution and transform as the virtual machine takes them: `spec` and `transform`."""
        guided, transformed = transform.is_guided, not transform.is_identity
        kind = [KINDS[self.kind], len(self.values), self.channels, self.mixtures]
        spec = [*kind, guided, transformed, self.min_log_scale]
        return np.array(spec, np.int64), transform.as_array()


class CpuSampler:
    """A program ready to sample batches on the CPU.

        CpuSampler(program, DrawSpec("bernoulli", values, channels=1), threads=2).sample(batch)

    Args:
        program: the program, from `record`.
        draw: the distribution that its parameters give.
        transform: what is done to it. Under guidance the batch holds every image twice, conditional and, in the second
            half, unconditional.
        inputs: conditions by key, for the whole batch; the default is the tensor seen while recording.
        threads: how many share a batch.
    """

    def __init__(
        self,
        program: Program,
        draw: DrawSpec,
        transform: Transform = IDENTITY,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> None:
        self.program, self.draw, self.transform = program, draw, transform
        self.inputs, self.threads = inputs or {}, threads
        self._lowered = LoweredProgram.of(program)

    def sample(self, batch: SampleBatch, on_row: Callable[[int], None] | None = None) -> None:
        """Fill in the unknown sub-pixels of a batch.

        Args:
            batch: images, filled in place.
            on_row: called with the number of finished rows. An exception stops all threads.

        Raises:
            EngineError: if the memory does not suffice, or an input does not fit.
            ValueError: if an array of the batch has another shape.
        """
        batch.check(self.program.params.channels)
        count, copies = len(batch.levels), 1 + self.transform.is_guided
        slices = split_batch(count, self.threads)
        bytecodes = [self._lowered.bytecode(copies * (part.stop - part.start)) for part in slices]
        check_batch_memory(
            sum(bytecode.size for bytecode in bytecodes) * self.program.dtype.itemsize,
            count,
            self.program.height,
            self.program.width,
        )
        inputs = prepare_inputs(self.program, copies * count, self.inputs)
        weights = self._lowered.weights  # packed here once, not in each thread

        def run(number: int, part: slice, signal: IntArray) -> None:
            self._run(bytecodes[number], weights, batch.part(part), self._slice_inputs(inputs, part, count), signal)

        run_slices(run, slices, on_row)

    def _slice_inputs(self, inputs: dict[str, FloatArray], part: slice, count: int) -> dict[str, FloatArray]:
        """Return the inputs of a slice of the images, and of their unconditional copies."""
        unconditional = slice(count + part.start, count + part.stop)
        parts = (part, unconditional) if self.transform.is_guided else (part,)
        return {key: np.concatenate([array[p] for p in parts]) for key, array in inputs.items()}

    def _run(
        self,
        bytecode: Bytecode,
        weights: FloatArray,
        batch: SampleBatch,
        inputs: dict[str, FloatArray],
        signal: IntArray,
    ) -> None:
        distribution = (*self.draw.settings(self.transform), self.draw.values)
        memory = bytecode.initial_memory(self.program.dtype, inputs)
        params = np.zeros((len(batch.levels), 0, 0, 0), self.program.dtype) if batch.params is None else batch.params
        images = ImageArrays(batch.levels, batch.known, batch.uniforms, batch.nats, params)
        rows = np.array([0, self.program.height])
        instructions = bytecode.instructions(weights)
        sample_images(instructions, memory, distribution, images, signal, bytecode.s_curve, rows)
