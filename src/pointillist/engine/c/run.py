"""Run integer programs by the library in C: samplers, scores and steppers, with the bits of the numpy reference."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch, check_batch_memory, prepare_inputs, run_slices, split_batch
from pointillist.engine.c.lower import lower
from pointillist.engine.head.frequencies import Distribution, Frequencies, log_probs
from pointillist.engine.head.range_decoder import DecoderState
from pointillist.engine.library import KERNELS, aligned, chosen_level, load_library
from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import EngineError

_SCORED_AT_ONCE = 2**16
"""Sub-pixels that the library scores in a call, so that an interrupt is not waited for longer than a second or so."""
_SHORT = 2**34
"""Products of a call that runs in the calling thread: 0.04 to 0.16 s by the fastest kernels, 1.6 s by plain ones."""
_FLAGS = 31
"""Conditions that images may share: the bits of an integer, without its sign."""
_LEARNED = 173_250
"""Numbers that the stage learns with a decoder: `PT_LEARNED` in C."""
_LOWERING = Lock()
"""Held while a program is lowered: several threads decode with one."""


class Lowered:
    """A program as the library reads it, and the library.

    Raises:
        EngineError: if this platform has no library, or it cannot run the program.
    """

    library: ctypes.CDLL
    data: np.ndarray

    def __init__(self, program: Program) -> None:
        library = load_library()
        if library is None:
            raise EngineError("This platform has no library in C: the numpy executor runs, more slowly.")
        self.library, self.data = library, lower(program)
        self.address: int = self.data.ctypes.data
        problem = library.pt_check(self.address, self.data.size)
        if problem:
            raise EngineError(
                f"The library in C cannot run the integer program (rule {problem}): use the numpy executor."
            )
        self.by_rows: bool = bool(library.pt_by_rows(self.address))


def lowered(program: Program) -> Lowered:
    """Return a program as the library reads it, which is kept with the program; see `Lowered`."""
    with _LOWERING:
        if "c" not in program.cache:
            try:
                program.cache["c"] = Lowered(program), ""
            except EngineError as error:
                program.cache["c"] = None, str(error)
        lowered: Lowered | None
        lowered, problem = program.cache["c"]
    if lowered is None:
        raise EngineError(problem)
    return lowered


def reason_against(program: Program) -> str | None:
    """Return the sentence that says why the library does not run a program; None if it does."""
    if load_library() is not None and chosen_level() is None:
        return f"{KERNELS} is 'none': the numpy executor runs, more slowly."
    try:
        lowered(program)
    except EngineError as error:
        return str(error)
    return None


class Run:
    """The workspace of images at the first pixel.

    Args:
        inputs: conditions as `prepare_inputs` returns them; they are read until the run ends.
        by_rows: whether whole rows of known images are computed at once.

    Raises:
        EngineError: if the memory does not suffice, or the images are too large.
    """

    lowered: Lowered
    batch: int
    library: ctypes.CDLL

    def __init__(
        self,
        program: Program,
        batch: int,
        size: tuple[int, int],
        inputs: Mapping[str, IntArray],
        *,
        by_rows: bool = False,
    ) -> None:
        self.lowered, self.batch, level = lowered(program), batch, chosen_level()
        self.library, address = self.lowered.library, self.lowered.address
        bytes_needed = self.library.pt_workspace(address, batch, *size, by_rows)
        if bytes_needed < 0:
            raise EngineError(
                f"{batch} images of {size[0]}x{size[1]} are too large for the integer program: use smaller ones."
            )
        check_batch_memory(bytes_needed, batch, *size)
        self.workspace: np.ndarray = aligned(bytes_needed, np.empty)  # the library clears it
        arrays = [inputs[name] for name in program.inputs]
        shared = [number < _FLAGS and array.strides[0] == 0 for number, array in enumerate(arrays)]
        images = [array[(0,) * (array.ndim - 3)] if same else array for array, same in zip(arrays, shared, strict=True)]
        self._inputs = [np.ascontiguousarray(array, np.int32) for array in images]
        pointers = (ctypes.c_void_p * max(1, len(self._inputs)))(*(array.ctypes.data for array in self._inputs))
        self.address: int = self.library.pt_begin(
            *(address, batch, *size, by_rows, sum(same << number for number, same in enumerate(shared))),
            *(pointers, self.workspace.ctypes.data, -1 if level is None else level),
        )

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the blocks that hold the state of the images, `[slots, b, bytes]`."""
        block = (ctypes.c_int64 * 3)()
        for index in range(self.library.pt_block(self.address, -1, block)):
            self.library.pt_block(self.address, index, block)
            start, slots, size = block
            yield self.workspace[start : start + slots * self.batch * size].reshape(slots, self.batch, size)

    def select(self, indices: IntArray) -> None:
        """Copy the state of images: image i becomes a copy of image `indices[i]`."""
        for block in self.blocks():
            block[...] = block[:, indices]

    def save(self) -> list[NDArray[np.uint8]]:
        """Copy the state of all images, at the beginning of a row."""
        return [block.copy() for block in self.blocks()]

    def restore(self, saved: Sequence[NDArray[np.uint8]]) -> None:
        for block, before in zip(self.blocks(), saved, strict=True):
            block[...] = before


class CStepper(ProgramStepper):
    """Step through images of an integer program by the library in C; see `Interpreter`."""

    def __init__(
        self,
        program: Program,
        batch: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(program, batch, size)
        size = (self.height, self.width)
        self.state: Run = Run(program, batch, size, prepare_inputs(program, batch, inputs or {}, size))
        self._library, self._address = self.state.library, self.state.address

    def _run_row(self) -> None:
        self._library.pt_row(self._address, self.site[0])

    def _run_sub_step(self) -> None:
        self._library.pt_site(self._address, *self.site[:2])

    def _run_post_draw(self) -> None:
        self._library.pt_post(self._address, *self.site[:2])

    def _read_params(self) -> NDArray[Any]:
        result = np.empty((self.batch, self.program.params.channels), np.int32)
        self._library.pt_params(self._address, self.site[1], result.ctypes.data)
        return result

    def _write(self, values: NDArray[Any], first: int) -> None:
        stored = np.ascontiguousarray(values, np.int32)
        self._library.pt_write(self._address, self.site[1], first, values.shape[1], stored.ctypes.data)

    def _distribution(self, params: NDArray[Any], pixels: NDArray[np.int64], channel: int) -> Distribution:
        if not self.program.head.has_table:
            return super()._distribution(params, pixels, channel)
        return Frequencies(frequencies_in_c(self.program, params, pixels, channel))


def sample_in_c(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: Transform = IDENTITY,
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
) -> None:
    """Fill in the levels of the unknown sub-pixels of a batch, and their frequencies; see `engine.sampler`."""
    count, _, height, width = batch.levels.shape
    assert batch.sizes is not None
    tables: NDArray[np.int32] | None = None
    if batch.params is not None:
        tables = np.ones(batch.params.shape, np.int32)
    arrays = (batch.levels, batch.known, batch.uniforms, batch.sizes, tables)
    copies = 1 + transform.is_guided
    inputs = prepare_inputs(program, count * copies, inputs, (height, width))
    numbers = transform.integer_array()
    pointer = None if transform.is_identity else numbers.ctypes.data

    def run(_: int, part: slice, signal: NDArray[np.int64]) -> None:
        conditions = {name: array.reshape(copies, count, *array.shape[1:])[:, part] for name, array in inputs.items()}
        images = Run(program, copies * (part.stop - part.start), (height, width), conditions)
        pointers = [None if array is None else array[part].ctypes.data for array in arrays]
        mask, library = batch.mask, images.library
        if mask is None:
            library.pt_sample(images.address, *pointers, pointer, signal.ctypes.data)
            return
        memory = aligned(library.pt_search_memory(images.address, mask.address))
        last = (pointer, memory.ctypes.data, signal.ctypes.data)
        fits = library.pt_sample_in_mask(images.address, mask.address, part.start, *pointers, *last)
        assert fits, "a batch that does not fit its mask"

    def finished(rows: int) -> None:
        if tables is not None and batch.params is not None:
            drawn = np.repeat(~batch.known[:, :, rows - 1].swapaxes(1, 2), program.head.levels, axis=2)
            logs = log_probs(tables[:, rows - 1], program.head.precision)
            np.copyto(batch.params[:, rows - 1], logs, where=drawn)
        if on_row is not None:
            on_row(rows)

    # most constants are weights, of which each is part of a product at each site; a search may take any time
    is_short = batch.mask is None and copies * count * height * width * lowered(program).data.size < _SHORT
    asks = on_row is not None or tables is not None
    run_slices(run, split_batch(count, threads), finished if asks else None, is_short=is_short)


def decode_in_c(
    program: Program,
    levels: NDArray[np.int64],
    coded: NDArray[np.bool_],
    states: Sequence[DecoderState],
    decoder_of: IntArray,
    inputs: Mapping[str, IntArray],
    *,
    learns: bool = False,
) -> tuple[NDArray[np.int32], float]:
    """Decode the levels of images, which are contiguous; see `executors.decode_images`. The states move on.

    Args:
        learns: whether the stage that learns stands before the decoders. Without decoders it codes the levels.

    Returns:
        What it codes: the size of the interval of each decision, of 2 ** 16, negative for the first of the two; and
        the bits that the levels take without the stage.
    """
    batch, height, width = coded.shape
    images = Run(program, batch, (height, width), prepare_inputs(program, batch, inputs, (height, width)))
    decoders = (DecoderState * len(states))(*states)
    most = 0 if states else (program.head.levels - 1).bit_length() * levels.size
    errors = np.zeros(levels.size * learns, np.int64)
    learned = np.zeros(_LEARNED * learns * max(1, len(states)), np.int32)
    decisions, results = np.empty(most, np.int32), np.zeros(2, np.int64)
    arrays = (levels, np.ascontiguousarray(coded, np.uint8), np.ascontiguousarray(decoder_of, np.int64))
    image, sites, numbers = (array.ctypes.data for array in arrays)
    stage = [array.ctypes.data if learns else None for array in (errors, learned, decisions)]
    reading = ctypes.addressof(decoders) if states else None

    def run(_: int, part: slice, signal: NDArray[np.int64]) -> None:
        arguments = (image, sites, reading, numbers, *stage, signal.ctypes.data)
        results[:] = images.library.pt_decode(images.address, *arguments), signal[2]

    run_slices(run, [slice(0, batch)])
    for state, decoder in zip(states, decoders, strict=True):
        ctypes.memmove(ctypes.byref(state), ctypes.byref(decoder), ctypes.sizeof(DecoderState))
    return decisions[: results[0]], float(results[1]) / (1 << 20)


def intervals_in_c(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of the level of every sub-pixel of images `[b, c, h, w]`."""
    starts, sizes = np.zeros(levels.shape, np.int64), np.zeros(levels.shape, np.int64)
    _score(program, levels, inputs, (starts, sizes, None), threads)
    return starts, sizes


def params_in_c(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], threads: int = 1
) -> NDArray[np.int32]:
    """Return the parameters `[b, h, w, p]` at every site of images `[b, c, h, w]`."""
    batch, _, height, width = levels.shape
    params = np.zeros((batch, height, width, program.params.channels), np.int32)
    _score(program, levels, inputs, (None, None, params), threads)
    return params


def _score(
    program: Program,
    levels: NDArray[np.int64],
    inputs: Mapping[str, IntArray],
    outputs: tuple[NDArray[Any] | None, ...],
    threads: int,
) -> None:
    """Run over whole images, and fill starts, frequencies or parameters."""
    size, by_rows = (levels.shape[2], levels.shape[3]), lowered(program).by_rows
    inputs = prepare_inputs(program, len(levels), inputs, size)
    levels = np.ascontiguousarray(levels, np.int64)

    def run(part: slice) -> None:
        conditions = {name: array[part] for name, array in inputs.items()}
        images = Run(program, part.stop - part.start, size, conditions, by_rows=by_rows)
        pointers = [None if array is None else array[part].ctypes.data for array in outputs]
        images.library.pt_score(images.address, levels[part].ctypes.data, *pointers)

    slices = split_batch(len(levels), max(threads, math.ceil(levels.size / _SCORED_AT_ONCE)))
    with ThreadPoolExecutor(max(1, min(threads, len(slices)))) as pool:
        list(pool.map(run, slices))  # which starts no more slices after an exception, such as of Ctrl-C


def grid_in_c(program: Program, canvas: IntArray) -> NDArray[np.int32]:
    """Return the map `[b, h, w, m]` that the program of a grid makes of a canvas `[b, h, w, c]`."""
    run = Run(program, len(canvas), canvas.shape[1:3], {})
    canvas = np.ascontiguousarray(canvas, np.int32)
    result = np.empty((*canvas.shape[:3], program.params.channels), np.int32)
    run.library.pt_grid(run.address, canvas.ctypes.data, result.ctypes.data)
    return result


def frequencies_in_c(
    program: Program, params: NDArray[np.int32], pixels: NDArray[np.int64], channel: int
) -> NDArray[np.int64]:
    """Return the frequencies `[n, levels]` of a channel at sites: parameters `[n, p]`, levels `[n, c]`."""
    run, level = lowered(program), chosen_level()
    result = np.empty((len(pixels), program.head.levels), np.int64)
    scratch = np.empty(4 * program.head.mixtures + 520, np.int64)  # what `pt_frequencies` computes with
    params, pixels = np.ascontiguousarray(params, np.int32), np.ascontiguousarray(pixels, np.int64)
    run.library.pt_frequencies(
        run.address,
        params.ctypes.data,
        pixels.ctypes.data,
        len(pixels),
        channel,
        result.ctypes.data,
        scratch.ctypes.data,
        -1 if level is None else level,
    )
    return result
