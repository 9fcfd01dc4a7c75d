"""Step through an image on a device, with the parameters copied to main memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.cuda.buffers import Buffers
from pointillist.engine.cuda.graphs import Capture, GraphCache
from pointillist.engine.cuda.kernels import run_part, run_per_image
from pointillist.engine.cuda.rows import check_device_memory, row_kind, shift
from pointillist.engine.program import FloatArray, IntArray, Program
from pointillist.engine.stepper import ProgramStepper


class CudaStepper(ProgramStepper):
    """Step through an image in torch on a device.

    Args:
        program: the program, from `record`.
        batch: number of images that are sampled together.
        inputs: conditions by key; the default is the tensor seen while recording.
        device: the GPU; any other device computes the same, without capture.
        capture: see `GraphCache`.

    Raises:
        EngineError: if the memory of the device does not suffice, or an input does not fit.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        *,
        device: torch.device,
        capture: Capture | None = None,
    ) -> None:
        super().__init__(program, batch)
        check_device_memory(program, batch, device)
        self._graphs = GraphCache(device, capture)
        with self._graphs.active():
            self._buffers = Buffers(program, batch, device, inputs)
            run_per_image(self._buffers)

    def _run_row(self) -> None:
        row = self.site[0]
        with self._graphs.active():
            self._buffers.begin(row)
            key = ("row", row_kind(self.program, row))
            self._graphs.run(key, lambda: run_part(self._buffers, self.program.per_row, row, None))

    def _run_sub_step(self) -> None:
        self._run_site(self.site[2], self.program.sub_steps[self.site[2]])

    def _run_post_draw(self) -> None:
        self._run_site(self.program.num_sub_steps, self.program.post_draw)

    def _run_site(self, number: int, part: Any) -> None:
        row, column, _ = self.site
        with self._graphs.active():
            key = ("site", row_kind(self.program, row), column, number)
            self._graphs.run(key, lambda: run_part(self._buffers, part, row, column))

    def _read_params(self) -> FloatArray:
        with self._graphs.active():
            result: FloatArray = self._buffers.read(self.program.params, self.site[1])[:, 0].cpu().numpy().copy()
            return result

    def _write(self, values: NDArray[Any], first: int) -> None:
        with self._graphs.active():
            site = self._buffers.maps[self.program.canvas].at(0, 0)[:, self.site[1]]
            site[:, first : first + self.program.canvas_width] = torch.as_tensor(values).to(site)

    def _select(self, indices: IntArray) -> None:
        with self._graphs.active():
            self._buffers.select(torch.as_tensor(indices, device=self._buffers.weights.device))

    def _save(self) -> list[Tensor]:
        return [tensor.clone() for tensor in self._buffers.between_rows()]

    def _restore(self, arrays: list[Tensor]) -> None:
        with self._graphs.active():
            for tensor, saved in zip(self._buffers.between_rows(), arrays, strict=True):
                tensor.copy_(saved)

    def _end_row(self) -> None:
        row = self.site[0]
        with self._graphs.active():
            self._graphs.run(("end", row_kind(self.program, row)), lambda: shift(self._buffers, row))
