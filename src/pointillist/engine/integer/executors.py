"""Choose an executor: compiled code where numba is installed, else numpy; torch by name. All give the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.integer.frequencies import frequencies, intervals
from pointillist.engine.integer.numpy.run import NumpyIntegerStepper, check_inputs, whole_params
from pointillist.engine.integer.stepper import IntegerStepper
from pointillist.engine.program import IntArray, Program
from pointillist.errors import EngineError

EXECUTORS = ("auto", "compiled", "numpy", "torch", "cuda")
"""`torch` runs in main memory, `cuda` runs the same on a GPU; `cuda:1` names one of several."""

SITE_NUMBERS = 2**17
"""Numbers, for each level and component, that numpy computes together: they stay in the cache of the processor."""


def choose_executor(program: Program, executor: str = "auto") -> Literal["compiled", "numpy", "torch"]:
    """Choose an executor for a program.

    Raises:
        EngineError: if there is no such executor, or it lacks what it needs.
    """
    name = executor.partition(":")[0]
    if name not in EXECUTORS or (name != executor and name != "cuda"):
        raise EngineError(f"Unknown `executor` {executor!r}: choose one of {', '.join(EXECUTORS)}.")
    if name in ("torch", "cuda"):
        if find_spec("torch") is None:
            raise EngineError(f"`executor` (={executor!r}) needs torch: run `pip install torch`, or use 'auto'.")
        return "torch"
    if executor == "numpy":
        return "numpy"
    if find_spec("numba") is None:
        if executor == "compiled":
            raise EngineError("`executor` 'compiled' needs numba: run `pip install numba`, or use 'numpy'.")
        return "numpy"
    from pointillist.engine.integer.compiled.run import unsupported

    missing = unsupported(program)
    if missing and executor == "compiled":
        raise EngineError(f"Compiled code has no integer {', '.join(missing)}: use the executor 'numpy'.")
    return "numpy" if missing else "compiled"


def open_stepper(
    program: Program,
    batch: int,
    height: int,
    width: int,
    inputs: Mapping[str, IntArray],
    executor: str = "auto",
) -> IntegerStepper:
    """Open a stepper at the first site of images, in the raster frame.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    inputs = check_inputs(program, batch, height, width, inputs)
    match choose_executor(program, executor):
        case "numpy":
            return NumpyIntegerStepper(program, batch, height, width, inputs)
        case "compiled":
            from pointillist.engine.integer.compiled.run import CompiledIntegerStepper

            return CompiledIntegerStepper(program, batch, height, width, inputs)
        case "torch":
            from pointillist.engine.torch.device import device_of
            from pointillist.engine.torch.stepper import TorchIntegerStepper

            return TorchIntegerStepper(program, batch, height, width, inputs, device_of(executor))


def intervals_of_images(
    program: Program,
    levels: NDArray[np.int64],
    inputs: Mapping[str, IntArray],
    executor: str = "auto",
    threads: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of the level of every sub-pixel of images `[b, c, h, w]`, all at once.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    batch, channels, height, width = levels.shape
    inputs = check_inputs(program, batch, height, width, inputs)
    match choose_executor(program, executor):
        case "compiled":
            from pointillist.engine.integer.compiled.run import intervals_compiled

            return intervals_compiled(program, levels, inputs, threads)
        case "torch":
            from pointillist.engine.torch.device import device_of
            from pointillist.engine.torch.integers import score_integers

            return score_integers(program, levels, inputs, device_of(executor))
    params, pixels = whole_params(program, levels, inputs), levels.transpose(0, 2, 3, 1)
    pairs = [
        intervals(frequencies(program.head, params, pixels, channel), pixels[..., channel])
        for channel in range(channels)
    ]
    starts, sizes = (np.stack(arrays, 1) for arrays in zip(*pairs, strict=True))
    return starts, sizes


def params_of_images(
    program: Program,
    levels: NDArray[np.int64],
    inputs: Mapping[str, IntArray],
    executor: str = "auto",
    threads: int = 1,
) -> NDArray[np.int32]:
    """Return the parameters `[b, h, w, p]` at every site of images `[b, c, h, w]`, all at once.

    They give the frequencies of all levels of any part of the images (`frequencies`), in a memory that is not that of
    all of them.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    batch, _, height, width = levels.shape
    inputs = check_inputs(program, batch, height, width, inputs)
    match choose_executor(program, executor):
        case "compiled":
            from pointillist.engine.integer.compiled.run import params_compiled

            return params_compiled(program, levels, inputs, threads)
        case "torch":
            from pointillist.engine.torch.device import device_of
            from pointillist.engine.torch.integers import params_of_integers

            return params_of_integers(program, levels, inputs, device_of(executor))
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
        from pointillist.engine.integer.compiled.run import frequencies_compiled

        return frequencies_compiled(program, params, pixels, channel)
    step = max(1, SITE_NUMBERS // (program.head.levels * max(1, program.head.mixtures)))
    parts = [slice(start, start + step) for start in range(0, len(params), step)]
    result = [frequencies(program.head, params[part], pixels[part], channel) for part in parts]
    return np.concatenate([np.empty((0, program.head.levels), np.int64), *result])


class IntegerSteps:
    """The frequencies of one sub-pixel after the other, in generation order.

    Attributes:
        site: row, column (of the raster frame) and channel of the current sub-pixel.
        done: True after the last one.
    """

    def __init__(self, program: Program, stepper: IntegerStepper, batch: int) -> None:
        self.program, self._stepper, self.batch = program, stepper, batch
        self._coupled = program.num_sub_steps != program.head.channels
        self._pixel = np.zeros((batch, program.head.channels), np.int64)
        self._channel = 0

    @property
    def site(self) -> tuple[int, int, int]:
        """Row, column and channel of the current sub-pixel."""
        row, column, step = self._stepper.site
        return (row, column, self._channel if self._coupled else step)

    @property
    def done(self) -> bool:
        """True after the last sub-pixel."""
        return self._stepper.done

    def frequencies(self) -> NDArray[np.int64]:
        """Return the frequencies of the levels `[b, levels]`; they sum to `2 ** precision`."""
        result: NDArray[np.int64] = frequencies(self.program.head, self._stepper.params(), self._pixel, self.site[2])
        return result

    def observe(self, levels: IntArray) -> None:
        """Take the level of the current sub-pixel of each image, `[b]`, and move to the next one."""
        channel = self.site[2]
        self._pixel[:, channel] = levels
        if not self._coupled:
            self._stepper.observe(self._pixel[:, channel : channel + 1])
            return
        self._channel = (channel + 1) % self.program.head.channels
        if self._channel == 0:
            self._stepper.observe(self._pixel)

    def select(self, indices: NDArray[np.int64]) -> None:
        """Copy states: image i continues from the history of image `indices[i]`, under the same condition."""
        self._pixel = self._pixel[indices]
        self._stepper.select(indices)

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`.

        Raises:
            EngineError: in the middle of a row.
        """
        return self._stepper.save(), self._pixel.copy()

    def restore(self, state: Any) -> None:
        """Return to a saved state; it may be restored any number of times."""
        stepper, pixel = state
        self._stepper.restore(stepper)
        self._pixel, self._channel = pixel.copy(), 0


def open_steps(
    program: Program,
    batch: int,
    height: int,
    width: int,
    inputs: Mapping[str, IntArray],
    executor: str = "auto",
) -> IntegerSteps:
    """Open the frequencies of images, in the raster frame."""
    return IntegerSteps(program, open_stepper(program, batch, height, width, inputs, executor), batch)
