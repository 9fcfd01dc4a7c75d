"""Step through images, and score them by an integer program, in torch on any device.

Parameters are copied to main memory; integers have the bits of the numpy reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.batch import check_batch_memory, prepare_inputs
from pointillist.engine.buffers import bytes_of_image
from pointillist.engine.head.frequencies import distribution
from pointillist.engine.interpreter import Interpreter, run_whole
from pointillist.engine.program import IntArray, IntegerHead, Program
from pointillist.engine.torch.operations import INTEGER, DeviceConstants, TorchBuffers, device_of, operations_of


class TorchStepper(Interpreter):
    """Step through images by the operations of torch; see `Interpreter`.

    Args:
        program: in floating point, from `record`, or in integers.
        batch: number of images that are sampled together.
        inputs: conditions by key; see `prepare_inputs`.
        size: height and width of the images; None for the program's own.
        device: the device of all tensors.

    Raises:
        EngineError: if the memory of the device does not suffice, or an input does not fit.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        size: tuple[int, int] | None = None,
        *,
        device: torch.device,
    ) -> None:
        self.device = device
        self._operations = operations_of(program)
        with _full_precision():
            super().__init__(program, batch, inputs, size)

    def _allocate(self, inputs: Mapping[str, NDArray[Any]]) -> TorchBuffers:
        size, batch = (self.height, self.width), self.batch
        check_batch_memory(batch * bytes_of_image(self.program, *size, "site"), batch, *size, self.device)
        prepared = prepare_inputs(self.program, batch, inputs, size)
        return TorchBuffers(self.program, batch, *size, prepared, self.device, "site")

    def _run_row(self) -> None:
        with _full_precision():
            super()._run_row()

    def _run_sub_step(self) -> None:
        with _full_precision():
            super()._run_sub_step()

    def _run_post_draw(self) -> None:
        with _full_precision():
            super()._run_post_draw()

    def _read_params(self) -> NDArray[Any]:
        return np.array(self._params().cpu().numpy())

    def _write(self, values: NDArray[Any], first: int) -> None:
        with _full_precision():
            super()._write(torch.as_tensor(values).to(self.device), first)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Compute without gradients and in full float32 within the block."""
    with torch.inference_mode(), full_float32():
        yield


@contextmanager
def full_float32() -> Iterator[None]:
    """Disable TF32 products on a GPU within the block, whatever the settings of torch."""
    products = torch.backends.cuda.matmul
    name, full = ("fp32_precision", "ieee") if hasattr(products, "fp32_precision") else ("allow_tf32", False)
    before = getattr(products, name)
    setattr(products, name, full)
    try:
        yield
    finally:
        setattr(products, name, before)


BYTES = 2**30
"""Memory of the values of images that are scored together."""
NUMBERS = 2**23
"""Numbers, for each level and component, of sites whose frequencies are computed together."""


def head_of(program: Program, device: torch.device) -> IntegerHead:
    constants = DeviceConstants.of(program, device)
    tables: dict[str, Any] = {name: constants.array(table) for name, table in program.head.tables.items()}
    return replace(program.head, tables=tables)


def score_integers(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], executor: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of the level of every sub-pixel of images `[b, c, h, w]`, all at once."""
    starts, sizes = np.empty(levels.shape, np.int64), np.empty(levels.shape, np.int64)
    for part, pixels, conditions in _batches(program, levels, inputs, executor):
        for target, result in zip((starts, sizes), score(program, pixels, conditions), strict=True):
            target[part] = result.permute(0, 3, 1, 2).cpu().numpy()
    return starts, sizes


def params_of_integers(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], executor: str
) -> NDArray[np.int32]:
    """Return the parameters `[b, h, w, p]` at every site of images `[b, c, h, w]`."""
    params = np.empty((len(levels), *levels.shape[2:], program.params.channels), np.int32)
    for part, pixels, conditions in _batches(program, levels, inputs, executor):
        params[part] = whole_params(program, pixels, conditions).cpu().numpy()
    return params


def _batches(
    program: Program, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], executor: str
) -> Iterator[tuple[slice, Tensor, dict[str, IntArray]]]:
    """Yield images `[b, h, w, c]` on a device, as many at a time as fit, with their conditions."""
    together = max(1, BYTES // bytes_of_image(program, levels.shape[2], levels.shape[3]))
    for first in range(0, len(levels), together):
        part = slice(first, first + together)
        pixels = torch.from_numpy(levels[part]).to(device_of(executor)).permute(0, 2, 3, 1)
        yield part, pixels, {name: array[part] for name, array in inputs.items()}


def whole_params(program: Program, pixels: Tensor, inputs: Mapping[str, IntArray]) -> Tensor:
    """Compute the parameters `[b, h, w, p]` at every site of images `[b, h, w, c]`, on their device."""
    batch, height, width, _ = pixels.shape
    inputs = prepare_inputs(program, batch, inputs, (height, width))
    buffers = TorchBuffers(program, batch, height, width, inputs, pixels.device)
    result: Tensor = run_whole(buffers, INTEGER, buffers.constant(program.canvas_values)[pixels].flatten(3))
    return result.expand(batch, height, width, -1)


def score(program: Program, pixels: Tensor, inputs: Mapping[str, IntArray]) -> tuple[Tensor, Tensor]:
    """Return the start and the frequency of each level of images `[b, h, w, c]`, on their device."""
    params, channels = whole_params(program, pixels, inputs).flatten(0, 2), pixels.shape[3]
    head, rows = head_of(program, pixels.device), pixels.reshape(-1, channels)
    starts, sizes = torch.empty_like(rows), torch.empty_like(rows)
    together = max(1, NUMBERS // (head.levels * max(1, head.mixtures)))
    for first in range(0, len(rows), together):
        part = slice(first, first + together)
        for channel in range(channels):
            site = distribution(head, params[part], rows[part], channel)
            starts[part, channel], sizes[part, channel] = site.interval(rows[part, channel])
    return starts.view(pixels.shape), sizes.view(pixels.shape)
