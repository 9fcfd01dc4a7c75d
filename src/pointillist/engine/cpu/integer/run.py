"""Run integer programs in compiled code: steppers, samplers and scores, with the bits of the numpy reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.batch import SampleBatch, prepare_inputs
from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer import draw as distribution
from pointillist.engine.cpu.integer import lowering_rules  # noqa: F401  (registers the rule of every opcode)
from pointillist.engine.cpu.integer.bytecode import IntegerBytecode, aligned
from pointillist.engine.cpu.integer.constants import Pool
from pointillist.engine.cpu.integer.entries import run_part, sample_images, score_images, site_frequencies
from pointillist.engine.cpu.integer.lower import Compiler, unsupported
from pointillist.engine.cpu.threads import run_slices, split_batch
from pointillist.engine.numpy.buffers import Buffers
from pointillist.engine.numpy.interpreter import OPERATIONS
from pointillist.engine.numpy.schedule import run_part as run_in_numpy
from pointillist.engine.numpy.schedule import runs_by_rows
from pointillist.engine.program import INT8, IntArray, Phase, Program
from pointillist.engine.stepper import ProgramStepper

__all__ = [
    "CompiledIntegerStepper",
    "frequencies_compiled",
    "intervals_compiled",
    "params_compiled",
    "sample_compiled",
    "unsupported",
]

KINDS = {
    "bernoulli": distribution.BERNOULLI,
    "categorical": distribution.CATEGORICAL,
    "mixture": distribution.MIXTURE,
}
TABLES = ("sigmoid", "tanh", "inverse")
"""Tables of a mixture, in the order of `machine/mixture.py`."""

_COMPILING = Lock()
"""Held while a machine is extended: several threads code and decode with one. Not its own, so that it can be copied."""


class Machine:
    """A program in compiled form, for any batch and size. Bytecode is kept from call to call."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pool = Pool()
        head = program.head
        table = self.pool.table(head.tables["exp"])
        fields = [KINDS[head.kind], head.levels, head.channels, head.precision, table, len(head.tables["exp"])]
        fields.append(head.mixtures)
        for name in TABLES if head.mixtures else ():
            fields += [self.pool.table(head.tables[name]), len(head.tables[name])]
        self.spec = np.array(fields, np.int64)
        self.values = (head.canvas_values.astype(np.int32) + 128).astype(np.uint8)
        self.by_rows = runs_by_rows(program)
        self._bytecodes: dict[tuple[int, int, int, bool], IntegerBytecode] = {}

    def bytecode(self, batch: int, height: int, width: int, *, rows: bool) -> IntegerBytecode:
        """Return the bytecode for a batch, compiled at the first call."""
        key = (batch, height, width, rows)
        with _COMPILING:
            if key not in self._bytecodes:
                if len(self._bytecodes) >= 16:  # sizes and batches may vary without end
                    self._bytecodes.clear()
                self._bytecodes[key] = Compiler(self.program, batch, height, width, self.pool, rows=rows).compile()
            return self._bytecodes[key]

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return the constants and weights of every bytecode so far."""
        with _COMPILING:
            return self.pool.arrays


def machine_of(program: Program) -> Machine:
    """Return the machine of a program, which is kept with it."""
    if "machine" not in program.kept:
        program.kept["machine"] = Machine(program)
    result: Machine = program.kept["machine"]
    return result


class Memory:
    """The arrays of one run.

    Args:
        bytecode: of the batch.
        inputs: conditions as `prepare_inputs` returns them.
    """

    def __init__(
        self, machine: Machine, bytecode: IntegerBytecode, height: int, width: int, inputs: Mapping[str, IntArray]
    ) -> None:
        self.bytecode = bytecode
        self.narrow, self.wide = aligned(bytecode.narrow_size, np.uint8), aligned(bytecode.wide_size, np.int32)
        for array, fills in ((self.narrow, bytecode.fills), (self.wide, bytecode.wide_fills)):
            for start, numbers in fills:
                array[start : start + numbers.size] = numbers
        for name, start in bytecode.inputs.items():
            stored = (inputs[name].astype(np.int32) + 128).astype(np.uint8).reshape(-1)
            self.narrow[start : start + stored.size] = stored
        if bytecode.vectors or machine.program.inputs:
            buffers = Buffers(machine.program, bytecode.batch, height, width, inputs)
            run_in_numpy(buffers, OPERATIONS, machine.program.per_image, 0, height)
            self._write_vectors(buffers)
        self.code, self.pieces = bytecode.code.copy(), bytecode.pieces.copy()
        constants, weights = machine.arrays()
        self.arrays = (self.narrow, self.wide, constants, weights)

    def _write_vectors(self, buffers: Buffers) -> None:
        """Write the values of phase IMAGE, which numpy has computed."""
        for value, start in self.bytecode.vectors.items():
            assert value.phase == Phase.IMAGE
            result = buffers.value(value).reshape(-1)
            if value.is_narrow:
                self.narrow[start : start + result.size] = result + 128 * (value.dtype == INT8)
            else:
                self.wide[start : start + result.size] = result


class CompiledIntegerStepper(ProgramStepper):
    """Step through images of an integer program in compiled code; see `Interpreter`."""

    def __init__(
        self,
        program: Program,
        batch: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(program, batch, size)
        machine, size = machine_of(program), (self.height, self.width)
        self._bytecode = machine.bytecode(batch, *size, rows=False)
        self._memory = Memory(machine, self._bytecode, *size, prepare_inputs(program, batch, inputs or {}, size))

    def _select(self, indices: IntArray) -> None:
        for block in self._states():
            block[...] = block[:, indices]

    def _states(self) -> Iterator[NDArray[Any]]:
        """Yield the blocks that hold the state of the images, `[slots, b, numbers]`."""
        for narrow, start, slots, size in self._bytecode.states:
            array = self._memory.narrow if narrow else self._memory.wide
            yield array[start : start + slots * self.batch * size].reshape(slots, self.batch, size)

    def _save(self) -> Any:
        return [block.copy() for block in self._states()]

    def _restore(self, arrays: Any) -> None:
        for block, saved in zip(self._states(), arrays, strict=True):
            block[...] = saved

    def _run_row(self) -> None:
        self._part(1, 0, begin=True)

    def _run_sub_step(self) -> None:
        self._part(2, self.site[1])

    def _run_post_draw(self) -> None:
        self._part(3, self.site[1])

    def _read_params(self) -> NDArray[Any]:
        line = self._memory.code[self._bytecode.draw_row].tolist()
        start = line[bc.X] + self.site[1] * line[bc.X_INNER]
        return self._view(self._memory.wide, start, line[bc.X_OUTER], self.program.params.channels).copy()

    def _write(self, values: NDArray[Any], first: int) -> None:
        line = self._memory.code[self._bytecode.draw_row].tolist()
        start = line[bc.Y] + self.site[1] * line[bc.Y_INNER] + first
        self._view(self._memory.narrow, start, line[bc.Y_OUTER], values.shape[1])[...] = values.astype(np.int16) + 128

    def _view(self, array: NDArray[Any], start: int, stride: int, channels: int) -> NDArray[Any]:
        size = array.itemsize
        return np.lib.stride_tricks.as_strided(array[start:], (self.batch, channels), (stride * size, size))

    def _part(self, part: int, column: int, *, begin: bool = False) -> None:
        first, last = self._bytecode.parts[part].tolist()
        run_part(
            self._memory.code, self._memory.pieces, self._bytecode.patches, first, last, *self._memory.arrays,
            self.site[0], column, begin,
        )  # fmt: skip


def sample_compiled(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
) -> None:
    """Fill in the levels of the unknown sub-pixels of a batch, and their frequencies; see `engine.sampler`."""
    machine, (count, _, height, width), sizes = machine_of(program), batch.levels.shape, batch.sizes
    assert sizes is not None
    inputs = prepare_inputs(program, count, inputs, (height, width))
    slices = split_batch(count, threads)
    for part in slices:  # compiled here, not in each thread
        machine.bytecode(part.stop - part.start, height, width, rows=False)

    def run(_: int, part: slice, signal: NDArray[np.int64]) -> None:
        bytecode = machine.bytecode(part.stop - part.start, height, width, rows=False)
        memory = Memory(machine, bytecode, height, width, {name: array[part] for name, array in inputs.items()})
        sample_images(
            memory.code, memory.pieces, bytecode.patches, bytecode.parts, bytecode.draw_row, *memory.arrays,
            machine.spec, machine.values, batch.levels[part], batch.known[part], batch.uniforms[part], sizes[part],
            signal, program.num_sub_steps, program.s_curve,
        )  # fmt: skip

    run_slices(run, slices, on_row)


def intervals_compiled(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of the level of every sub-pixel of images `[b, c, h, w]`."""
    starts, sizes = np.zeros(levels.shape, np.int64), np.zeros(levels.shape, np.int64)
    _score(program, levels, inputs, (starts, sizes, np.zeros((0, 1, 1, 1), np.int32)), threads)
    return starts, sizes


def params_compiled(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], threads: int = 1
) -> NDArray[np.int32]:
    """Return the parameters `[b, h, w, p]` at every site of images `[b, c, h, w]`."""
    (batch, _, height, width), none = levels.shape, np.zeros((0, 1, 1, 1), np.int64)
    params = np.zeros((batch, height, width, program.params.channels), np.int32)
    _score(program, levels, inputs, (none, none, params), threads)
    return params


def _score(
    program: Program,
    levels: NDArray[np.int64],
    inputs: Mapping[str, IntArray],
    outputs: tuple[NDArray[Any], ...],
    threads: int,
) -> None:
    """Run over whole images, and fill starts, frequencies and parameters; see `score_images`."""
    compiled, (_, _, height, width) = machine_of(program), levels.shape
    by_rows, (starts, sizes, params) = compiled.by_rows, outputs
    inputs = prepare_inputs(program, len(levels), inputs, (height, width))
    slices = split_batch(len(levels), threads)
    for part in slices:
        compiled.bytecode(part.stop - part.start, height, width, rows=by_rows)

    def run(part: slice) -> None:
        bytecode = compiled.bytecode(part.stop - part.start, height, width, rows=by_rows)
        memory = Memory(compiled, bytecode, height, width, {name: array[part] for name, array in inputs.items()})
        score_images(
            memory.code, memory.pieces, bytecode.patches, bytecode.parts, bytecode.draw_row, *memory.arrays,
            compiled.spec, compiled.values, levels[part], starts[part], sizes[part], params[part],
            program.num_sub_steps, program.s_curve, by_rows,
        )  # fmt: skip

    with ThreadPoolExecutor(len(slices)) as pool:
        list(pool.map(run, slices))


def frequencies_compiled(
    program: Program, params: NDArray[np.int32], pixels: NDArray[np.int64], channel: int
) -> NDArray[np.int64]:
    """Return the frequencies `[n, levels]` of a channel at sites: parameters `[n, p]`, levels `[n, c]`."""
    compiled = machine_of(program)
    result = np.empty((len(pixels), program.head.levels), np.int64)
    site_frequencies(
        np.ascontiguousarray(params).reshape(-1), compiled.arrays()[0], channel, compiled.spec, pixels, result
    )
    return result
