"""Score images and step through them in torch; every result is a numpy array, with the bits of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Array, Region
from pointillist.engine.integer.numpy.run import run_whole, write_levels
from pointillist.engine.integer.numpy.schedule import run_part
from pointillist.engine.integer.program import IntArray, IntegerInstruction, IntegerProgram
from pointillist.engine.integer.stepper import IntegerStepper
from pointillist.engine.integer.torch.frames import TorchFrames
from pointillist.engine.integer.torch.frequencies import frequencies, intervals
from pointillist.engine.integer.torch.head import TorchHead
from pointillist.engine.integer.torch.operations import OPERATIONS
from pointillist.engine.program import Value

BYTES = 2**30
"""Memory of the values of images that are scored together."""
NUMBERS = 2**23
"""Numbers, for each level and component, of sites whose frequencies are computed together."""


def intervals_by_torch(
    program: IntegerProgram, levels: NDArray[np.int64], inputs: Mapping[str, IntArray], device: torch.device
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start and the frequency of the level of every sub-pixel of images `[b, c, h, w]`, all at once."""
    starts, sizes = np.empty(levels.shape, np.int64), np.empty(levels.shape, np.int64)
    together = max(1, BYTES // bytes_of_image(program, levels.shape[2], levels.shape[3]))
    for first in range(0, len(levels), together):
        part = slice(first, first + together)
        pixels = torch.from_numpy(levels[part]).to(device).permute(0, 2, 3, 1)
        own = {name: array[part] for name, array in inputs.items()}
        for target, result in zip((starts, sizes), score(program, pixels, own), strict=True):
            target[part] = result.permute(0, 3, 1, 2).cpu().numpy()
    return starts, sizes


def score(program: IntegerProgram, pixels: Tensor, inputs: Mapping[str, IntArray]) -> tuple[Tensor, Tensor]:
    """Return the start and the frequency of each level of images `[b, h, w, c]`, on their device."""
    batch, height, width, channels = pixels.shape
    frames = TorchFrames(program, batch, height, width, inputs, pixels.device)
    params = run_whole(frames, OPERATIONS, pixels).expand(batch, height, width, -1).reshape(batch * height * width, -1)
    head, rows = TorchHead.of(program, frames.constants), pixels.reshape(-1, channels)
    starts, sizes = torch.empty_like(rows), torch.empty_like(rows)
    together = max(1, NUMBERS // (head.levels * max(1, head.mixtures)))
    for first in range(0, len(rows), together):
        part = slice(first, first + together)
        numbers, pixel = params[part].long(), rows[part]
        for channel in range(channels):
            result = frequencies(head, numbers, pixel, channel)
            starts[part, channel], sizes[part, channel] = intervals(result, pixel[:, channel])
    return starts.view(pixels.shape), sizes.view(pixels.shape)


def bytes_of_image(program: IntegerProgram, height: int, width: int) -> int:
    """Return the bytes of all values and maps of an image."""
    code: list[IntegerInstruction] = [i for _, part in program.parts() for i in part]
    values: set[Value] = {i.output.value for i in code if i.output is not None}
    channels = [(value.channels, value.scale) for value in values]
    channels += [(each.channels, each.scale) for each in (*program.maps, *program.kv_caches)]
    return sum(4 * count * -(-height // scale) * -(-width // scale) for count, scale in channels)


class TorchIntegerStepper(IntegerStepper):
    """Step through images in torch.

    Args:
        device: where the tensors are.
    """

    def __init__(
        self,
        program: IntegerProgram,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, IntArray],
        device: torch.device,
    ) -> None:
        super().__init__(program, batch, height, width)
        self.device = device
        self._frames = TorchFrames(program, batch, height, width, inputs, device)
        run_part(self._frames, OPERATIONS, program.per_image, 0, height)

    def params_on_device(self) -> Tensor:
        """Compute the parameters `[b, p]` at the current site, as int64 on the device; see `params`."""
        self._run()
        row, column, _ = self.site
        result: Tensor = self._frames.read(self.program.params, Region.of_site(row, column))
        return result.reshape(self.batch, -1).long()

    def select(self, indices: NDArray[Any]) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        self._frames.select(torch.from_numpy(np.asarray(indices, np.int64)).to(self.device))

    def _save(self) -> Any:
        return self._frames.save()

    def _restore(self, arrays: Any) -> None:
        self._frames.restore(arrays)

    def _run_row(self) -> None:
        self._part(self.program.per_row)

    def _run_site(self) -> None:
        self._part(self.program.per_site, self.site[1])

    def _run_post_draw(self) -> None:
        self._part(self.program.post_draw, self.site[1])

    def _part(self, part: tuple[IntegerInstruction, ...], column: int | None = None) -> None:
        row = self.site[0]
        run_part(self._frames, OPERATIONS, part, row, row + 1, column)

    def _read_params(self) -> NDArray[np.int32]:
        row, column, _ = self.site
        result = self._frames.read(self.program.params, Region.of_site(row, column))
        return np.array(result.reshape(self.batch, -1).cpu().numpy())

    def _write(self, levels: Array) -> None:
        row, column, step = self.site
        tensor = torch.as_tensor(levels, dtype=torch.int64, device=self.device)  # of an array or a tensor
        write_levels(self._frames, Region.of_site(row, column), tensor[:, None, None], step)
