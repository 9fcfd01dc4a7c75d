"""Sample images in torch by inverse CDF; levels stay on the device until their row is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from pointillist.engine.batch import SampleBatch
from pointillist.engine.integer.program import IntArray, IntegerProgram
from pointillist.engine.integer.torch.frames import constants_of
from pointillist.engine.integer.torch.frequencies import draw, frequencies
from pointillist.engine.integer.torch.head import TorchHead
from pointillist.engine.integer.torch.run import TorchIntegerStepper


def sample_by_torch(
    program: IntegerProgram,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    device: torch.device,
    on_row: Callable[[int], None] | None = None,
) -> None:
    """Fill in the unknown sub-pixels of a batch; see `engine.integer.sampler.sample_batch`."""
    sampler = TorchSampler(program, inputs, batch, device)
    for row in range(batch.levels.shape[2]):
        sampler.draw_row(row)
        if on_row is not None:
            on_row(row + 1)


class TorchSampler:
    """Draw the rows of a batch, one after the other.

    sampler = TorchSampler(program, inputs, batch, torch.device("cuda"))
    for row in range(28):
        sampler.draw_row(row)

    Args:
        program: an integer program.
        inputs: conditions, as `check_inputs` returns them.
        batch: levels and nats are filled in, row by row.
        device: where the program runs.
    """

    def __init__(
        self, program: IntegerProgram, inputs: Mapping[str, IntArray], batch: SampleBatch, device: torch.device
    ) -> None:
        count, self._channels, height, width = batch.levels.shape
        self._batch, self._coupled = batch, program.num_sub_steps != self._channels
        self._stepper = TorchIntegerStepper(program, count, height, width, inputs, device)
        self._head = TorchHead.of(program, constants_of(program, device))
        self._levels = torch.from_numpy(batch.levels).to(device, torch.int64, copy=True)
        self._known = torch.from_numpy(np.ascontiguousarray(batch.known)).to(device)
        self._uniforms = torch.from_numpy(np.asarray(batch.uniforms, np.float64)).to(device)

    def draw_row(self, row: int) -> None:
        """Draw a row, and write its levels and their nats to the batch."""
        sizes = torch.full_like(self._levels[:, :, row], 1 << self._head.precision)
        order = []
        while not self._stepper.done and self._stepper.site[0] == row:
            _, column, step = self._stepper.site
            channels = range(self._channels) if self._coupled else range(step, step + 1)
            if not self._batch.known[:, channels.start : channels.stop, row, column].all():
                params = self._stepper.params_on_device()
                for channel in channels:
                    result = frequencies(self._head, params, self._levels[:, :, row, column], channel)
                    drawn = draw(result, self._uniforms[:, channel, row, column], self._head.precision)
                    self._set(row, column, channel, drawn)
                    sizes[:, channel, column] = result.gather(1, self._levels[:, channel, row, column, None])[:, 0]
            order += [(channel, column) for channel in channels]
            self._stepper.observe(self._levels[:, channels.start : channels.stop, row, column])
        self._batch.levels[:, :, row] = self._levels[:, :, row].cpu().numpy()
        self._add_nats(row, sizes.cpu().numpy(), order)

    def _set(self, row: int, column: int, channel: int, drawn: torch.Tensor) -> None:
        """Set levels where they are not known."""
        site = self._levels[:, channel, row, column]
        site[...] = torch.where(self._known[:, channel, row, column], site, drawn)

    def _add_nats(self, row: int, sizes: IntArray, order: list[tuple[int, int]]) -> None:
        """Add the log-probability of each level that was drawn, in generation order: float sums depend on theirs."""
        logs = np.where(self._batch.known[:, :, row], 0.0, np.log(sizes / 2.0**self._head.precision))
        for channel, column in order:
            self._batch.nats += logs[:, channel, column]
