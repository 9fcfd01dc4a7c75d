"""Sample whole images on a device: each row is one piece of work, with the draws in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.batch import SampleBatch
from pointillist.engine.program import Program
from pointillist.engine.torch.buffers import upload
from pointillist.engine.torch.capture import Capture, GraphCache
from pointillist.engine.torch.carry import RowCarry
from pointillist.engine.torch.rows import ProgramRows

_log = logging.getLogger(__name__)

Choose = Callable[[Tensor, Tensor, int, Tensor], tuple[Tensor, Tensor]]
"""Draws a channel at some sites: from parameters `[b, p, sites]`, levels of the sites `[n, c, sites]`, the channel and
uniforms `[n, sites]` to the drawn levels and their log-likelihoods, or frequencies in an integer program, `[n, sites]`
each. The batch b holds n images once, or twice: conditional and then unconditional.
"""


@dataclass(frozen=True)
class Draw:
    """The distribution of a sub-pixel, and what a level writes to the canvas.

    Attributes:
        choose: draws levels.
        values: canvas values of each level, `[levels, e]`.
    """

    choose: Choose
    values: NDArray[Any]


class TorchSampler:
    """A program ready to sample batches on a device.

        TorchSampler(program, Draw(choose, values), torch.device("cuda"), inputs=inputs, jacobi=True).sample(batch)

    Args:
        program: in floating point or in integers.
        draw: draws levels from its parameters.
        device: the device; a GPU captures, and any other computes the same.
        inputs: conditions by name, for the whole batch; None for those seen while recording.
        jacobi: sample all sites of a row together, from a guess (the row above), until nothing changes (the
            Jacobi iteration of Song et al. 2021, row by row). The fixed point is the result of site after site: every
            site has read exactly the sites before it.
        copies: number of copies of every image in the engine's batch.
        capture: see `GraphCache`.

    Attributes:
        num_iterations: computations of a row so far: one for each row, or with `jacobi` until convergence.
    """

    def __init__(
        self,
        program: Program,
        draw: Draw,
        device: torch.device,
        *,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        jacobi: bool = False,
        copies: int = 1,
        capture: Capture | None = None,
    ) -> None:
        self.program, self.device, self.num_iterations = program, device, 0
        self._draw, self._inputs, self._jacobi, self._copies = draw, inputs, jacobi, copies
        self._capture = capture

    def sample(self, batch: SampleBatch, on_row: Callable[[int], None] | None = None) -> None:
        """Fill in the unknown sub-pixels of a batch.

        Args:
            batch: images, filled in place.
            on_row: called with the number of finished rows. An exception stops the sampling.

        Raises:
            EngineError: if the memory of the device does not suffice, or an input does not fit.
        """
        count, _, height, width = batch.levels.shape
        graphs = GraphCache(self.device, self._capture)
        with graphs.active():
            size = self._copies * count
            more = sum(array.nbytes for array in (batch.levels, batch.known, batch.uniforms))
            rows = ProgramRows(self.program, size, height, width, self._inputs, self.device, more)
            workspace = RowWorkspace(rows, self._draw, batch)
            for row in range(height):
                workspace.begin(row)
                self._sample_row(graphs, workspace, row)
                workspace.download(batch, row)
                if on_row is not None:
                    on_row(row + 1)
        _log.info(
            "Sampled %d rows of %d sites in %d iterations over a row, %d images at once.",
            height,
            width,
            self.num_iterations,
            count,
        )

    def _sample_row(self, graphs: GraphCache, workspace: RowWorkspace, row: int) -> None:
        kind = workspace.rows.kind(row)
        if not self._jacobi:
            self.num_iterations += 1
            graphs.run(kind, lambda: workspace.sample_sequentially(row))
            return
        graphs.run(("guess", kind), lambda: workspace.guess(row))
        for _ in range(workspace.rows.buffers.width * self.program.num_sub_steps):  # iteration i settles sub-pixel i
            self.num_iterations += 1
            graphs.run(("pass", kind), lambda: workspace.iterate(row))
            if not workspace.changed.item():
                break


class RowWorkspace:
    """The current row: its levels, known mask, uniforms and likelihoods; and the rows above it."""

    def __init__(self, rows: ProgramRows, draw: Draw, batch: SampleBatch) -> None:
        self.rows, self._draw, device = rows, draw, rows.buffers.device
        self._values = upload(draw.values, device).to(rows.buffers.dtype)
        self._carry = RowCarry(rows.buffers)
        self._images = [upload(a, device) for a in (batch.levels, batch.known, batch.uniforms)]
        self.levels, self.known, self.uniforms = (torch.zeros_like(image[:, :, 0]) for image in self._images)
        self._likelihoods = torch.zeros_like(self.uniforms)
        self.changed = torch.zeros((), dtype=torch.bool, device=device)

    def begin(self, row: int) -> None:
        """Load the row. Unknown levels keep those of the row above, as a guess."""
        self.rows.begin(row)
        levels, known, uniforms = (image[:, :, row] for image in self._images)
        self.known.copy_(known)
        self.uniforms.copy_(uniforms)
        torch.where(known, levels, self.levels, out=self.levels)

    def sample_sequentially(self, row: int) -> None:
        """Sample a row, one site after the other."""
        self.rows.run_row(row)
        for column in self.rows.columns(row):
            self._sample_site(row, column)

    def guess(self, row: int) -> None:
        """Run the row part, and write the guessed levels to the canvas."""
        self.rows.run_row(row)
        for channel in range(self.levels.shape[1]):
            self._write(row, channel, None)

    def iterate(self, row: int) -> None:
        """Sample all sites from the current levels; `changed` tells whether levels or state have changed."""
        before = self.levels.clone()
        self._carry.snapshot()
        self.rows.run_site(row)  # all sub-pixels at once, from the current levels
        for channel in range(self.levels.shape[1]):
            self._draw_levels(row, channel, None)
            self._write(row, channel, None)
        self.rows.run_post_draw(row, None)
        self.changed.copy_((self.levels != before).any() | self._carry.changed())

    def download(self, batch: SampleBatch, row: int) -> None:
        """Copy the row to main memory, and add its nats in generation order: sums in floating point depend on it."""
        batch.levels[:, :, row] = self.levels.cpu().numpy()
        likelihoods, known = self._likelihoods.cpu().numpy(), batch.known[:, :, row]
        if batch.sizes is not None:
            np.copyto(batch.sizes[:, :, row], likelihoods, where=~known, casting="unsafe")
            return
        nats = np.where(known, 0.0, likelihoods)
        for column in self.rows.columns(row):
            for channel in range(nats.shape[1]):
                batch.nats += nats[:, channel, column]
        if batch.params is not None:
            batch.params[:, row] = self.rows.params(row, None)[: len(self.levels)].cpu().numpy()

    def _sample_site(self, row: int, column: int) -> None:
        """Run sub-step after sub-step; a single one gives the parameters of all channels."""
        steps, channels = self.rows.program.num_sub_steps, range(self.levels.shape[1])
        for number in range(steps):
            self.rows.run_sub_step(row, column, number)
            for channel in channels if steps == 1 else (number,):
                self._draw_levels(row, channel, column)
                self._write(row, channel, column)
        self.rows.run_post_draw(row, column)

    def _draw_levels(self, row: int, channel: int, column: int | None) -> None:
        at = slice(None) if column is None else slice(column, column + 1)
        uniforms, known = self.uniforms[:, channel, at], self.known[:, channel, at]
        params = self.rows.params(row, column).transpose(1, 2)
        params = params.expand(-1, -1, uniforms.shape[1])  # one column if they do not depend on the image
        drawn, likelihoods = self._draw.choose(params, self.levels[:, :, at], channel, uniforms)
        levels = self.levels[:, channel, at]
        levels.copy_(torch.where(known, levels, drawn))
        self._likelihoods[:, channel, at] = likelihoods

    def _write(self, row: int, channel: int, column: int | None) -> None:
        """Write the levels of a channel to the canvas, as the network reads them."""
        at = slice(None) if column is None else slice(column, column + 1)
        levels, width = self.levels[:, channel, at], self._values.shape[1]
        values = self._values.index_select(0, levels.flatten()).view(*levels.shape, width)
        copies = self.rows.buffers.batch // len(levels)
        self.rows.write(row, column, values.repeat(copies, 1, 1), channel * width)
