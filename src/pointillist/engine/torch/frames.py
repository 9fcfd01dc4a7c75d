"""Tensors of one run, and the constants of a program as tensors on a device.

`TorchFrames` hold whole images, to run a program over whole maps. `RowFrames` hold the current row and the rows above
that are still read, to run it site by site: their addresses never change, so that work on them can be captured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.program import Phase, Program, Tap, View
from pointillist.engine.torch.arithmetic import shifts

SHIFTS = ("shift", "left", "right", "gate")
"""Integer constants that are shifts of channels."""


CURRENT_ROW = slice(0, 1, 1)


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device."""
    return torch.tensor(np.ascontiguousarray(array), device=device)


class Constants:
    """Constants of a program on a device. Each is moved there once, and cached with the program.

    Args:
        program: in floating point or in integers.
        device: the device of the tensors.
    """

    def __init__(self, program: Program, device: torch.device) -> None:
        self.device = device
        self._program = program
        self._arrays: dict[int, tuple[NDArray[Any], Tensor]] = {}
        self._instructions: dict[Any, Any] = {}

    def array(self, numbers: NDArray[Any]) -> Tensor:
        """Return an array of the program: integers as int64."""
        if id(numbers) not in self._arrays:  # an id belongs to an array as long as it lives
            wide = numbers.astype(np.int64) if np.issubdtype(numbers.dtype, np.integer) else numbers
            self._arrays[id(numbers)] = numbers, upload(wide, self.device)
        return self._arrays[id(numbers)][1]

    def of(self, i: Any) -> Any:
        """Return the constants of an instruction.

        In floating point their sequence. In integers their names, each with a `Shift`, or a tensor of int64; a matrix
        is in float64.
        """
        if i not in self._instructions:
            if self._program.is_integer:
                result: Any = {name: self._prepare(name, array) for name, array in i.constants.items()}
            else:
                result = [self.array(array) for array in i.constants.values()]
            self._instructions[i] = result
        return self._instructions[i]

    def _prepare(self, name: str, array: NDArray[Any]) -> Any:
        if name in SHIFTS:
            return shifts(array, self.device)
        tensor = upload(array.astype(np.int64), self.device)
        return tensor.double() if name == "matrix" else tensor


def constants_of(program: Program, device: torch.device) -> Constants:
    """Return the constants of a program on a device, which are cached with it."""
    key = f"torch {device}"
    if key not in program.kept:
        program.kept[key] = Constants(program, device)
    result: Constants = program.kept[key]
    return result


def dtype_of(program: Program) -> torch.dtype:
    """Return the type of the values of a program: int32, or its precision."""
    return torch.from_numpy(np.zeros(0, program.dtype)).dtype


def bytes_of_image(program: Program, height: int, width: int, rows: int) -> int:
    """Return the bytes of all tensors of an image, of which frames hold a number of rows."""
    numbers: int = sum(cache.channels * (1 + height * width) for cache in program.kv_caches)
    for condition in program.inputs.values():
        numbers += condition.channels * (1 if condition.kind == "vector" else height * width)
    for m in program.maps:
        numbers += m.channels * (m.up + -(-rows // m.scale)) * (m.left + -(-width // m.scale) + m.right)
    for value in {view.value for _, part in program.parts() for i in part for view in i.views}:
        sites = 1 if value.phase == Phase.IMAGE else -(-rows // value.scale) * -(-width // value.scale)
        numbers += value.channels * sites
    return int(numbers * dtype_of(program).itemsize)


class TorchFrames(Frames):
    """The tensors of a run over whole images.

    A KV cache is `[b, heads, 1 + sites, key and value]`. Its first slot holds zeros: the first site, which has no site
    before it, attends to it.

    Args:
        program: in floating point or in integers.
        batch, height, width: number and size of the images.
        inputs: conditions by name, `[b, 1, 1, c]` or `[b, h, w, c]`.
        device: the device of the tensors.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, NDArray[Any]],
        device: torch.device,
    ) -> None:
        self.constants, self.device = constants_of(program, device), device
        tensors = {name: upload(array, device) for name, array in inputs.items()}
        super().__init__(program, batch, height, width, tensors, dtype_of(program))

    def zeros(self, *shape: int) -> Tensor:
        """Allocate a tensor."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def constant(self, numbers: NDArray[Any]) -> Tensor:
        """Return numbers of the program as a tensor."""
        return self.constants.array(numbers)

    def copy(self, array: Tensor) -> Tensor:
        """Copy a tensor."""
        return array.clone()

    def write(self, view: View, region: Region, array: Tensor) -> None:
        """Set the channels of a view over a region."""
        self.read(view, region).copy_(array)

    def new_cache(self, cache: Any) -> Tensor:
        """Allocate a KV cache."""
        sites = 1 + self.height * self.width
        return self.zeros(self.batch, cache.num_heads, sites, cache.key_width + cache.value_width)

    def slots(self, row: int) -> Tensor:
        """Return the slots of a KV cache for the sites of a row, `[width]`."""
        return torch.arange(row * self.width + 1, (row + 1) * self.width + 1, device=self.device)

    def masked_slots(self, row: int) -> Tensor:
        """Return which of the first slots a site of a row may not attend to, `[width, slots]`."""
        return mask_slots(self.slots(row), torch.arange((row + 1) * self.width, device=self.device))


def mask_slots(sites: Tensor, slots: Tensor) -> Tensor:
    """Return which slots the sites in others may not attend to: their own, later ones, and that of the zeros."""
    masked = slots >= sites[:, None]
    masked[:, 0] = sites > 1
    return masked


class RowFrames(TorchFrames):
    """The tensors of a run row by row: the current row of every value, and the rows of a map that are still read.

    Regions name rows of the image, of which the current one is there. What differs from row to row is set by `begin`,
    so that all other work can be captured and replayed.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, NDArray[Any]],
        device: torch.device,
    ) -> None:
        super().__init__(program, batch, height, width, inputs, device)
        for feature_map in program.maps:
            rows = self.map(feature_map)
            if feature_map.initial_above is not None:  # the current row is the row above until it is written
                rows[:, -1] = rows[:, 0]
        entries = 1 + height * width if program.kv_caches else 0
        self._every_slot = torch.arange(entries, device=device)
        self._slots = torch.zeros(width, dtype=torch.int64, device=device)
        self._masked_slots = torch.zeros(width, entries, dtype=torch.bool, device=device)

    def size(self, scale: int) -> tuple[int, int]:
        """Return the one row, and the columns of a grid."""
        return 1, -(-self.width // scale)

    def read(self, view: View, region: Region) -> Tensor:
        """Return the channels of a view over the columns of a region, without a slice where it is the whole row."""
        tensor: Tensor = self.value(view.value)
        if not view.is_whole:
            tensor = tensor[..., view.start : view.start + view.channels]
        whole = view.phase == Phase.IMAGE or region.columns == slice(0, tensor.shape[2], 1)
        return tensor if whole else tensor[:, :, region.columns]

    def sites(self, feature_map: Any, region: Region, tap: Tap = (0, 0), step: int = 1) -> Tensor:
        """Return the sites of a map at an offset from the sites of a region in the current row."""
        result: Tensor = super().sites(feature_map, Region(CURRENT_ROW, region.columns), tap, step)
        return result

    def slots(self, row: int) -> Tensor:
        """Return the slots of a KV cache for the sites of the current row, `[width]`."""
        return self._slots

    def masked_slots(self, row: int) -> Tensor:
        """Return which of all slots a site of the current row may not attend to, `[width, 1 + sites]`."""
        return self._masked_slots

    def begin(self, row: int) -> None:
        """Set the slots of a row."""
        torch.arange(row * self.width + 1, (row + 1) * self.width + 1, out=self._slots)
        if len(self._every_slot):
            self._masked_slots.copy_(mask_slots(self._slots, self._every_slot))

    def shift(self, row: int) -> None:
        """Move the rows of each map up by one, where a row of its grid begins. The current row stays until written."""
        for feature_map in self.program.maps:
            if row % feature_map.scale == 0:
                rows = self.map(feature_map)
                for above in range(feature_map.up):
                    rows[:, above].copy_(rows[:, above + 1])

    def restore(self, state: Any) -> None:
        """Copy a saved state back, and forget what was computed in later rows."""
        super().restore(state)
        for value, tensor in self.values():
            if value.phase != Phase.IMAGE:
                tensor.zero_()
