"""Tensors of one run, and the constants of a program as tensors on a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Frames
from pointillist.engine.integer.numpy.run import with_sites
from pointillist.engine.integer.program import IntArray, IntegerInstruction, IntegerProgram
from pointillist.engine.integer.torch.arithmetic import shifts

SHIFTS = ("shift", "left", "right", "gate")
"""Constants that are shifts of channels."""


class Constants:
    """Constants of a program on a device. Each is moved there once, and kept with the program.

    Args:
        device: where they are.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._arrays: dict[int, tuple[NDArray[Any], Tensor]] = {}
        self._instructions: dict[IntegerInstruction, dict[str, Any]] = {}

    def array(self, numbers: NDArray[Any]) -> Tensor:
        """Return an array of the program as int64."""
        if id(numbers) not in self._arrays:  # an id belongs to an array as long as it lives
            self._arrays[id(numbers)] = numbers, torch.from_numpy(numbers.astype(np.int64)).to(self.device)
        return self._arrays[id(numbers)][1]

    def of(self, i: IntegerInstruction) -> dict[str, Any]:
        """Return the constants of an instruction by name: a `Shift`, or a tensor of int64; a matrix in float64."""
        if i not in self._instructions:
            self._instructions[i] = {name: self._prepare(name, array) for name, array in i.constants.items()}
        return self._instructions[i]

    def _prepare(self, name: str, array: IntArray) -> Any:
        if name in SHIFTS:
            return shifts(array, self.device)
        tensor = torch.from_numpy(array.astype(np.int64)).to(self.device)
        return tensor.double() if name == "matrix" else tensor


def constants_of(program: IntegerProgram, device: torch.device) -> Constants:
    """Return the constants of a program on a device, which are kept with it."""
    key = f"torch {device}"
    if key not in program.kept:
        program.kept[key] = Constants(device)
    result: Constants = program.kept[key]
    return result


class TorchFrames(Frames):
    """The tensors of one run, int32.

    Args:
        program: an integer program.
        batch, height, width: number and size of the images.
        inputs: conditions, as `check_inputs` returns them.
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
        self.constants = constants_of(program, device)
        tensors = {name: torch.from_numpy(array).to(device) for name, array in with_sites(program, inputs).items()}
        super().__init__(program, batch, height, width, tensors, torch.int32)

    def zeros(self, *shape: int) -> Tensor:
        """Allocate a tensor."""
        return torch.zeros(shape, dtype=self.dtype, device=self.constants.device)

    def constant(self, numbers: NDArray[Any]) -> Tensor:
        """Return numbers of the program as a tensor."""
        return self.constants.array(numbers)

    def copy(self, array: Tensor) -> Tensor:
        """Copy a tensor."""
        return array.clone()
