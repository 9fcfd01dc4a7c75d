"""Step through images in torch, with the parameters copied to main memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.integer.stepper import IntegerStepper
from pointillist.engine.program import FloatArray, IntArray, Program
from pointillist.engine.stepper import ProgramStepper
from pointillist.engine.torch.capture import Capture, GraphCache
from pointillist.engine.torch.rows import ProgramRows


class CapturedRows:
    """The parts of a program in a row, each a piece of work of the row's kind.

    Args:
        device: the device; a GPU captures.
        capture: see `GraphCache`.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        size: tuple[int, int],
        inputs: Mapping[str, NDArray[Any]] | None,
        device: torch.device,
        capture: Capture | None = None,
    ) -> None:
        self.graphs = GraphCache(device, capture)
        with self.graphs.active():
            self.rows = ProgramRows(program, batch, *size, inputs, device)

    def run_row(self, row: int) -> None:
        """Begin a row."""
        with self.graphs.active():
            self.rows.begin(row)
            self.graphs.run(("row", self.rows.kind(row)), lambda: self.rows.run_row(row))

    def run_sub_step(self, row: int, column: int, number: int) -> None:
        """Run a sub-step at a site."""
        with self.graphs.active():
            key = ("site", self.rows.kind(row), column, number)
            self.graphs.run(key, lambda: self.rows.run_sub_step(row, column, number))

    def run_post_draw(self, row: int, column: int) -> None:
        """Run the part after the draw of a site."""
        with self.graphs.active():
            key = ("post-draw", self.rows.kind(row), column)
            self.graphs.run(key, lambda: self.rows.run_post_draw(row, column))

    def params(self, row: int, column: int) -> NDArray[Any]:
        """Copy the parameters at a site to main memory."""
        with self.graphs.active():
            return np.array(self.rows.params(row, column)[:, 0].cpu().numpy())

    def write(self, row: int, column: int, values: Tensor, first: int) -> None:
        """Write values `[b, c]` to the canvas."""
        with self.graphs.active():
            self.rows.write(row, column, values.to(self.rows.frames.device)[:, None], first)

    def save(self) -> Any:
        """Copy the state of the images at the beginning of a row."""
        return self.rows.frames.save()

    def restore(self, state: Any) -> None:
        """Copy a saved state back."""
        with self.graphs.active():
            self.rows.frames.restore(state)

    def select(self, indices: NDArray[Any]) -> None:
        """Copy the state of images."""
        with self.graphs.active():
            self.rows.frames.select(torch.as_tensor(indices, device=self.rows.frames.device))


class TorchStepper(ProgramStepper):
    """Step through an image in torch on a device.

    Args:
        program: the program, from `record`.
        batch: number of images that are sampled together.
        inputs: conditions by key; the default is the tensor seen while recording.
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
        *,
        device: torch.device,
        capture: Capture | None = None,
    ) -> None:
        super().__init__(program, batch)
        self._captured = CapturedRows(program, batch, (program.height, program.width), inputs, device, capture)

    def _run_row(self) -> None:
        self._captured.run_row(self.site[0])

    def _run_sub_step(self) -> None:
        self._captured.run_sub_step(*self.site)

    def _run_post_draw(self) -> None:
        self._captured.run_post_draw(*self.site[:2])

    def _read_params(self) -> FloatArray:
        return self._captured.params(*self.site[:2])

    def _write(self, values: NDArray[Any], first: int) -> None:
        self._captured.write(*self.site[:2], torch.as_tensor(values), first)

    def _select(self, indices: IntArray) -> None:
        self._captured.select(indices)

    def _save(self) -> Any:
        return self._captured.save()

    def _restore(self, arrays: Any) -> None:
        self._captured.restore(arrays)


class TorchIntegerStepper(IntegerStepper):
    """Step through images of an integer program in torch.

    Args:
        device: the device; a GPU captures.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, IntArray],
        device: torch.device,
        capture: Capture | None = None,
    ) -> None:
        super().__init__(program, batch, height, width)
        self._captured = CapturedRows(program, batch, (height, width), inputs, device, capture)

    def select(self, indices: NDArray[Any]) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        self._captured.select(indices)

    def _run_row(self) -> None:
        self._captured.run_row(self.site[0])

    def _save(self) -> Any:
        return self._captured.save()

    def _restore(self, arrays: Any) -> None:
        self._captured.restore(arrays)

    def _run_site(self) -> None:
        self._captured.run_sub_step(*self.site)

    def _run_post_draw(self) -> None:
        self._captured.run_post_draw(*self.site[:2])

    def _read_params(self) -> NDArray[np.int32]:
        return self._captured.params(*self.site[:2])

    def _write(self, levels: NDArray[Any]) -> None:
        values = self.program.head.canvas_values[levels].reshape(len(levels), -1)
        first = self.site[2] * self.program.head.canvas_values.shape[1]
        self._captured.write(*self.site[:2], torch.from_numpy(values), first)
