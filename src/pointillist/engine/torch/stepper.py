"""Step through images in torch, with the parameters copied to main memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper
from pointillist.engine.torch.capture import Capture, GraphCache
from pointillist.engine.torch.rows import ProgramRows


class TorchStepper(ProgramStepper):
    """Step through images in torch on a device. Each part is a piece of work of the row's kind.

    Args:
        program: in floating point, from `record`, or in integers.
        batch: number of images that are sampled together.
        inputs: conditions by key; see `prepare_inputs`.
        size: height and width of the images; None for those of the program.
        device: the device; a GPU captures, and any other computes the same.
        capture: see `GraphCache`.

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
        capture: Capture | None = None,
    ) -> None:
        super().__init__(program, batch, size)
        self._graphs = GraphCache(device, capture)
        with self._graphs.active():
            self._rows = ProgramRows(program, batch, self.height, self.width, inputs, device)

    def _run_row(self) -> None:
        row = self.site[0]
        with self._graphs.active():
            self._rows.begin(row)
            self._graphs.run(("row", self._rows.kind(row)), lambda: self._rows.run_row(row))

    def _run_sub_step(self) -> None:
        row, column, number = self.site
        with self._graphs.active():
            key = ("site", self._rows.kind(row), column, number)
            self._graphs.run(key, lambda: self._rows.run_sub_step(row, column, number))

    def _run_post_draw(self) -> None:
        row, column, _ = self.site
        with self._graphs.active():
            key = ("post-draw", self._rows.kind(row), column)
            self._graphs.run(key, lambda: self._rows.run_post_draw(row, column))

    def _read_params(self) -> NDArray[Any]:
        with self._graphs.active():
            return np.array(self._rows.params(*self.site[:2])[:, 0].cpu().numpy())

    def _write(self, values: NDArray[Any], first: int) -> None:
        with self._graphs.active():
            self._rows.write(*self.site[:2], torch.as_tensor(values).to(self._rows.buffers.device)[:, None], first)

    def _select(self, indices: IntArray) -> None:
        with self._graphs.active():
            self._rows.buffers.select(torch.as_tensor(indices, device=self._rows.buffers.device))

    def _save(self) -> Any:
        return self._rows.buffers.save()

    def _restore(self, arrays: Any) -> None:
        with self._graphs.active():
            self._rows.buffers.restore(arrays)
