"""Step through images in torch on any device, with the parameters copied to main memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pointillist.engine.batch import check_batch_memory, prepare_inputs
from pointillist.engine.buffers import bytes_of_image
from pointillist.engine.numpy.interpreter import Interpreter
from pointillist.engine.program import IntArray, Program
from pointillist.engine.torch.buffers import TorchBuffers
from pointillist.engine.torch.operations import operations_of


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

    def _select(self, indices: IntArray) -> None:
        with _full_precision():
            super()._select(torch.as_tensor(indices, device=self.device))

    def _restore(self, arrays: Any) -> None:
        with _full_precision():
            super()._restore(arrays)


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
