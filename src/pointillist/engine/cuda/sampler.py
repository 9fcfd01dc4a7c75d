"""Sample whole images on a device: each row is one piece of work, with the draws in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.batch import SampleBatch
from pointillist.engine.cuda.buffers import Buffers, upload
from pointillist.engine.cuda.graphs import Capture, GraphCache
from pointillist.engine.cuda.kernels import run_part, run_per_image
from pointillist.engine.cuda.rows import RowCarry, check_device_memory, columns_in_order, row_kind, shift
from pointillist.engine.program import FloatArray, Program

_log = logging.getLogger(__name__)

Choose = Callable[[Tensor, Tensor, int, Tensor], tuple[Tensor, Tensor]]
"""Draws a channel at some sites: from parameters `[b, p, sites]`, levels of the sites `[n, c, sites]`, the channel and
uniforms `[n, sites]` to the drawn levels and their nats, `[n, sites]` each. The batch b holds n images once, or twice:
conditional and then unconditional.
"""


class CudaSampler:
    """A program ready to sample batches on a device.

        CudaSampler(program, choose, values, torch.device("cuda"), jacobi=True).sample(batch)

    Args:
        program: the program, from `record`.
        choose: draws levels from its parameters.
        values: canvas values of each level, `[levels, e]`.
        device: the GPU; any other device computes the same, without capture.
        copies: number of copies of every image in the engine's batch.
        jacobi: sample all sites of a row together, from a guess (the row above), until nothing changes (the
            Jacobi iteration of Song et al. 2021, row by row). The fixed point is the result of site after site: every
            site has read exactly the sites before it.
        inputs: conditions by key, for the whole batch; the default is the tensor seen while recording.
        capture: see `GraphCache`.

    Attributes:
        num_iterations: computations of a row so far: one for each row, or with `jacobi` until convergence.
    """

    def __init__(
        self, program: Program, choose: Choose, values: FloatArray, device: torch.device, *, copies: int = 1,
        jacobi: bool = False, inputs: Mapping[str, NDArray[Any]] | None = None, capture: Capture | None = None,
    ) -> None:  # fmt: skip
        self.program, self.device, self.num_iterations = program, device, 0
        self._choose, self._values, self._copies, self._fixed_point = choose, values, copies, jacobi
        self._inputs, self._capture = inputs, capture

    def sample(self, batch: SampleBatch, on_row: Callable[[int], None] | None = None) -> None:
        """Fill in the unknown sub-pixels of a batch.

        Args:
            batch: images, filled in place.
            on_row: called with the number of finished rows. An exception stops the sampling.

        Raises:
            EngineError: if the memory of the device does not suffice, or an input does not fit.
        """
        arrays = (batch.levels, batch.known, batch.uniforms)
        size = self._copies * len(batch.levels)
        check_device_memory(self.program, size, self.device, sum(array.nbytes for array in arrays))
        graphs = GraphCache(self.device, self._capture)
        with graphs.active():
            workspace = RowWorkspace(self.program, size, self._choose, self._values, self.device, self._inputs, batch)
            for row in range(self.program.height):
                workspace.begin(row)
                self._sample_row(graphs, workspace, row)
                workspace.download(batch, row)
                if on_row is not None:
                    on_row(row + 1)
            batch.nats += workspace.nats.cpu().numpy()
        _log.info(
            "Sampled %d rows of %d sites in %d iterations over a row, %d images at once.",
            self.program.height, self.program.width, self.num_iterations, len(batch.levels),
        )  # fmt: skip

    def _sample_row(self, graphs: GraphCache, workspace: RowWorkspace, row: int) -> None:
        kind = row_kind(self.program, row)
        if not self._fixed_point:
            self.num_iterations += 1
            graphs.run(kind, lambda: workspace.sample_sequentially(row))
            return
        graphs.run(("guess", kind), lambda: workspace.guess(row))
        for _ in range(self.program.width * self.program.num_sub_steps):  # iteration i settles sub-pixel i
            self.num_iterations += 1
            graphs.run(("pass", kind), lambda: workspace.iterate(row))
            if not workspace.changed.item():
                break
        graphs.run(("close", kind), lambda: workspace.close_row(row))


class RowWorkspace:
    """The current row: its levels, known mask and uniforms; and the rows above it."""

    def __init__(
        self, program: Program, size: int, choose: Choose, values: FloatArray, device: torch.device,
        inputs: Mapping[str, NDArray[Any]] | None, batch: SampleBatch,
    ) -> None:  # fmt: skip
        self.program, self._choose = program, choose
        self.buffers = Buffers(program, size, device, inputs)
        self._values = upload(values, device).to(self.buffers.weights)
        self._canvas = self.buffers.maps[program.canvas].at(0, 0)
        self._carry = RowCarry(self.buffers)
        self._images = [upload(a, device) for a in (batch.levels, batch.known, batch.uniforms)]
        self.levels, self.known, self.uniforms = (torch.zeros_like(image[:, :, 0]) for image in self._images)
        self.row_nats = torch.zeros_like(self.uniforms)
        self.nats = self.row_nats.new_zeros(len(self.levels))
        self.changed = torch.zeros((), dtype=torch.bool, device=device)
        run_per_image(self.buffers)

    def begin(self, row: int) -> None:
        """Load the row. Unknown levels keep those of the row above, as a guess."""
        self.buffers.begin(row)
        levels, known, uniforms = (image[:, :, row] for image in self._images)
        self.known.copy_(known)
        self.uniforms.copy_(uniforms)
        torch.where(known, levels, self.levels, out=self.levels)

    def sample_sequentially(self, row: int) -> None:
        """Sample a row, one site after the other."""
        run_part(self.buffers, self.program.per_row, row, None)
        for column in columns_in_order(self.program, row):
            self._sample_site(row, column)
        self.close_row(row)

    def guess(self, row: int) -> None:
        """Run the row part, and write the guessed levels to the canvas."""
        run_part(self.buffers, self.program.per_row, row, None)
        for channel in range(self.levels.shape[1]):
            self._write(channel, None)

    def iterate(self, row: int) -> None:
        """Sample all sites from the current levels; `changed` tells whether levels or state have changed."""
        before = self.levels.clone()
        self._carry.snapshot()
        run_part(self.buffers, self.program.per_site, row, None)  # all sub-pixels at once, from the current levels
        for channel in range(self.levels.shape[1]):
            self._draw(channel, None)
            self._write(channel, None)
        run_part(self.buffers, self.program.post_draw, row, None)
        self.changed.copy_((self.levels != before).any() | self._carry.changed())

    def close_row(self, row: int) -> None:
        """Finish the row."""
        self.nats += self.row_nats.sum((1, 2))
        shift(self.buffers, row)

    def download(self, batch: SampleBatch, row: int) -> None:
        """Copy the row to main memory."""
        batch.levels[:, :, row] = self.levels.cpu().numpy()
        if batch.params is not None:
            params = self.buffers.read(self.program.params, None)[: len(self.levels)]
            batch.params[:, row] = params.cpu().numpy()

    def _sample_site(self, row: int, column: int) -> None:
        """Run sub-step after sub-step; a single one gives the parameters of all channels."""
        channels = range(self.levels.shape[1])
        for number, step in enumerate(self.program.sub_steps):
            run_part(self.buffers, step, row, column)
            for channel in channels if len(self.program.sub_steps) == 1 else (number,):
                self._draw(channel, column)
                self._write(channel, column)
        run_part(self.buffers, self.program.post_draw, row, column)

    def _draw(self, channel: int, column: int | None) -> None:
        at = slice(None) if column is None else slice(column, column + 1)
        uniforms, known = self.uniforms[:, channel, at], self.known[:, channel, at]
        params = self.buffers.read(self.program.params, column).transpose(1, 2)
        params = params.expand(-1, -1, uniforms.shape[1])  # one column if they do not depend on the image
        drawn, nats = self._choose(params, self.levels[:, :, at], channel, uniforms)
        levels = self.levels[:, channel, at]
        levels.copy_(torch.where(known, levels, drawn))
        self.row_nats[:, channel, at] = nats.masked_fill(known, 0)

    def _write(self, channel: int, column: int | None) -> None:
        """Write the levels of a channel to the canvas, as the network reads them."""
        at = slice(None) if column is None else slice(column, column + 1)
        levels, width = self.levels[:, channel, at], self._values.shape[1]
        values = self._values.index_select(0, levels.flatten()).view(*levels.shape, width)
        canvas = self._canvas[:, at, channel * width : (channel + 1) * width]
        canvas.view(-1, *values.shape).copy_(values)
