"""Run integer programs: by the library in C, if any, else in numpy; in torch by name.

All executors give the same bits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.head.frequencies import distribution, frequencies, log_probs
from pointillist.engine.head.range_decoder import RangeDecoder
from pointillist.engine.interpreter import Interpreter, whole_grid, whole_params
from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import EngineError, choices, quote
from pointillist.images.ordering import PixelOrder

EXECUTORS = ("auto", "compiled", "numpy", "torch", "cuda")
"""`torch` runs in main memory, `cuda` runs the same on a GPU; `cuda:1` names one of several."""
Inputs = Mapping[str, IntArray]
"""Conditions as integers by name, `[b, c]` of a vector, `[b, h, w, c]` of a map, in the raster frame."""
_log = logging.getLogger(__name__)
SITE_NUMBERS = 2**17
"""Numbers, for each level and component, that numpy computes together: they stay in the cache of the processor."""


def choose_executor(program: Program, executor: str = "auto") -> Literal["compiled", "numpy", "torch"]:
    """Choose an executor for a program.

    Raises:
        EngineError: if there is no such executor, or something that it needs is missing.
    """
    name = executor.partition(":")[0]
    if name not in EXECUTORS or (name != executor and name != "cuda"):
        raise EngineError(f"Unknown `executor` {quote(executor)}: {choices(executor, EXECUTORS)}")
    if name in ("torch", "cuda"):
        if find_spec("torch") is None:
            raise EngineError(f"`executor` (={executor!r}) needs torch: run `pip install torch`, or use 'auto'.")
        return "torch"
    if executor == "numpy":
        return "numpy"
    from pointillist.engine.c.run import reason_against

    reason = reason_against(program)
    if reason is None:
        return "compiled"
    if executor == "compiled":
        raise EngineError(reason)
    _warn_once(reason)
    return "numpy"


@cache
def _warn_once(reason: str) -> None:
    """Log, once, why a slower executor runs."""
    _log.warning(reason)


def run_grid(program: Program, canvas: IntArray, executor: str = "auto") -> IntArray:
    """Run the program of a grid over images: a map `[b, h, w, m]` of a canvas `[b, h, w, c]`.

    Raises:
        EngineError: if there is no such executor, or the images are too large.
    """
    if choose_executor(program, executor) == "compiled":
        from pointillist.engine.c.run import grid_in_c

        return grid_in_c(program, canvas)
    return whole_grid(program, canvas)


def open_steps(
    program: Program, batch: int, height: int, width: int, inputs: Inputs, executor: str = "auto"
) -> ProgramStepper:
    """Open an integer program at the first sub-pixel of images, in the raster frame.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    size = (height, width)
    match choose_executor(program, executor):
        case "numpy":
            return Interpreter(program, batch, inputs, size)
        case "compiled":
            from pointillist.engine.c.run import CStepper

            return CStepper(program, batch, inputs, size)
        case "torch":
            from pointillist.engine.torch.operations import device_of
            from pointillist.engine.torch.stepper import TorchStepper

            return TorchStepper(program, batch, inputs, size, device=device_of(executor))


def decode_images(
    program: Program,
    levels: NDArray[np.int64],
    coded: NDArray[np.bool_],
    decoders: Sequence[RangeDecoder],
    decoder_of: IntArray,
    inputs: Inputs,
    executor: str = "auto",
    *,
    learns: bool = False,
) -> None:
    """Decode the levels of images `[b, c, h, w]` in the raster frame, in place, where `coded` `[b, h, w]`.

    At each site, for each channel, the level of image b comes from `decoders[decoder_of[b]]`; by a stage that learns as
    it reads, if it `learns`.

    Raises:
        EngineError: if there is no such executor, it has no stage, or the inputs do not fit.
    """
    batch, height, width = coded.shape
    if choose_executor(program, executor) == "compiled":
        from pointillist.engine.c.run import decode_in_c

        decode_in_c(program, levels, coded, [each.state for each in decoders], decoder_of, inputs, learns=learns)
        return
    if learns:
        raise EngineError("These pictures were coded by a stage that learns, which the library in C alone decodes.")

    def decoded(steps: ProgramStepper) -> IntArray:
        row, column, channel = steps.site
        here = coded[:, row, column]
        if here.any():
            site = steps.distribution()
            for number, decoder in enumerate(decoders):
                images = np.flatnonzero(here & (decoder_of == number))
                levels[images, channel, row, column] = decoder.levels(site[images], len(images), program.head.precision)
        chosen: IntArray = levels[:, channel, row, column]
        return chosen

    open_steps(program, batch, height, width, inputs, executor).visit(decoded)


def intervals_of_images(
    program: Program, levels: NDArray[np.int64], inputs: Inputs, executor: str = "auto", threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of the level of every sub-pixel of images `[b, c, h, w]`, all at once.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    match choose_executor(program, executor):
        case "compiled":
            from pointillist.engine.c.run import intervals_in_c

            return intervals_in_c(program, levels, inputs, threads)
        case "torch":
            from pointillist.engine.torch.stepper import score_integers

            return score_integers(program, levels, inputs, executor)
    params = whole_params(program, levels, inputs).reshape(-1, program.params.channels)
    pixels = levels.transpose(0, 2, 3, 1).reshape(-1, levels.shape[1])
    starts, sizes = np.empty(pixels.shape, np.int64), np.empty(pixels.shape, np.int64)
    for part in _parts_of_sites(program, len(pixels)):
        for channel in range(levels.shape[1]):
            site = distribution(program.head, params[part], pixels[part], channel)
            starts[part, channel], sizes[part, channel] = site.interval(pixels[part, channel])
    shape = (len(levels), *levels.shape[2:], levels.shape[1])
    return starts.reshape(shape).transpose(0, 3, 1, 2), sizes.reshape(shape).transpose(0, 3, 1, 2)


def log_probs_of_images(
    program: Program, x: IntArray, order: PixelOrder, inputs: Inputs, executor: str, threads: int
) -> NDArray[np.float64]:
    """Return the log-probability of every sub-pixel of images `[b, c, h, w]`, in their orientation, in nats.

    Raises:
        EngineError: as `intervals_of_images`.
    """
    levels = np.ascontiguousarray(order.array_to_raster(x), np.int64)
    sizes = intervals_of_images(program, levels, inputs, executor, threads)[1]
    return np.ascontiguousarray(order.array_from_raster(log_probs(sizes, program.head.precision)))


def params_of_images(
    program: Program, levels: NDArray[np.int64], inputs: Inputs, executor: str = "auto", threads: int = 1
) -> NDArray[np.int32]:
    """Return the parameters `[b, h, w, p]` at every site of images `[b, c, h, w]`, all at once.

    They give the frequencies of all levels of any part of the images (`frequencies`), in less memory than all of
    them take.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    match choose_executor(program, executor):
        case "compiled":
            from pointillist.engine.c.run import params_in_c

            return params_in_c(program, levels, inputs, threads)
        case "torch":
            from pointillist.engine.torch.stepper import params_of_integers

            return params_of_integers(program, levels, inputs, executor)
    return whole_params(program, levels, inputs)


def frequencies_of_sites(
    program: Program, params: NDArray[np.int32], pixels: NDArray[np.int64], channel: int
) -> NDArray[np.int64]:
    """Return the frequencies `[n, levels]` of a channel at sites, by compiled code where there is any.

    Args:
        params: parameters of the sites, `[n, p]`.
        pixels: their levels, `[n, c]`; those before the channel are read where channels are coupled.
    """
    if choose_executor(program) == "compiled":
        from pointillist.engine.c.run import frequencies_in_c

        return frequencies_in_c(program, params, pixels, channel)
    parts = _parts_of_sites(program, len(params))
    result = [frequencies(program.head, params[part], pixels[part], channel) for part in parts]
    return np.concatenate([np.empty((0, program.head.levels), np.int64), *result])


def _parts_of_sites(program: Program, count: int) -> list[slice]:
    """Return the sites that numpy computes together."""
    head = program.head
    step = max(1, SITE_NUMBERS // (head.levels * head.mixtures if head.kind == "mixture" else head.num_params))
    return [slice(start, start + step) for start in range(0, count, step)]
