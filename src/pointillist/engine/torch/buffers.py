"""Tensors of one run, and the constants of a program as tensors on a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.arithmetic import Shift, prepare
from pointillist.engine.buffers import Buffers
from pointillist.engine.program import Instruction, IntArray, KeyValueCache, Program
from pointillist.errors import EngineError


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), device=device)


def device_of(executor: str) -> torch.device:
    """Return where `torch`, `cuda` or `cuda:1` runs.

    Raises:
        EngineError: if there is no such GPU.
    """
    if executor == "torch":
        return torch.device("cpu")
    try:
        device = torch.device(executor)
    except RuntimeError as error:
        raise EngineError(f"`executor` (={executor!r}) must name a GPU by a number, such as 'cuda:1'.") from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        raise EngineError(f"`executor` (={executor!r}) needs a GPU, and torch finds {count}: use 'auto' or 'torch'.")
    return device if device.index is not None else torch.device("cuda", torch.cuda.current_device())


class DeviceConstants:
    """Constants of a program on a device. Each is moved there once, and cached with the program.

    CUDA has no matrix products of integers in torch. So they are taken in float64: float32 would be exact below 2^24,
    but torch may compute its products in TF32 or bfloat16 (`torch.set_float32_matmul_precision`).

    Args:
        program: in floating point or in integers.
        device: the device of the tensors.
    """

    def __init__(self, program: Program, device: torch.device) -> None:
        self.device = device
        self._program = program
        self._arrays: dict[int, tuple[NDArray[Any], Tensor]] = {}
        self._instructions: dict[Instruction, dict[str, Any]] = {}

    @classmethod
    def of(cls, program: Program, device: torch.device) -> DeviceConstants:
        result: DeviceConstants = program.cache.setdefault(f"torch {device}", cls(program, device))
        return result

    def array(self, numbers: NDArray[Any]) -> Tensor:
        """Return an array of the program: integers as int64."""
        if id(numbers) not in self._arrays:  # an id belongs to an array as long as it lives
            wide = numbers.astype(np.int64) if np.issubdtype(numbers.dtype, np.integer) else numbers
            self._arrays[id(numbers)] = numbers, upload(wide, self.device)
        return self._arrays[id(numbers)][1]

    def prepared(self, i: Instruction) -> dict[str, Any]:
        """Return the constants of an instruction as its opcode computes with them; see `prepare`."""
        if i not in self._instructions:
            self._instructions[i] = {name: self._prepare(name, array) for name, array in i.constants.items()}
        return self._instructions[i]

    def _prepare(self, name: str, array: NDArray[Any]) -> Any:
        if not self._program.is_integer:
            return self.array(array)
        constant = prepare(name, array)
        if isinstance(constant, Shift):
            return Shift(*(None if part is None else upload(part, self.device) for part in constant))
        tensor = upload(constant, self.device)
        return tensor.double() if tensor.is_floating_point() else tensor


class TorchBuffers(Buffers):
    """The tensors of one run.

    A KV cache is `[b, heads, 1 + sites, key and value]`. Its first slot holds zeros: the first site, which has no site
    before it, attends to it.

    Args:
        program: in floating point or in integers.
        batch, height, width: number and size of the images.
        inputs: conditions by name, `[b, 1, 1, c]` or `[b, h, w, c]`.
        device: the device of the tensors.
        held: see `Buffers`.
    """

    device_constants: DeviceConstants
    device: torch.device

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, NDArray[Any]],
        device: torch.device,
        held: Literal["image", "site"] = "image",
    ) -> None:
        self.device_constants, self.device = DeviceConstants.of(program, device), device
        self.dtype: torch.dtype = torch.from_numpy(np.zeros(0, program.dtype)).dtype
        tensors = {name: upload(array, device) for name, array in inputs.items()}
        super().__init__(program, batch, height, width, tensors, held=held)

    def zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def constant(self, numbers: NDArray[Any]) -> Tensor:
        return self.device_constants.array(numbers)

    def constants(self, i: Instruction) -> dict[str, Any]:
        return self.device_constants.prepared(i)

    def copy(self, array: Tensor) -> Tensor:
        return array.clone()

    @torch.inference_mode()
    def select(self, indices: IntArray) -> None:
        super().select(torch.as_tensor(indices, device=self.device))

    @torch.inference_mode()
    def restore(self, state: Any) -> None:
        super().restore(state)

    def new_cache(self, cache: KeyValueCache) -> Tensor:
        """Allocate a KV cache."""
        sites = 1 + self.height * self.width
        return self.zeros(self.batch, cache.num_heads, sites, cache.key_width + cache.value_width)

    def slots(self, row: int) -> Tensor:
        """Return the slots of a KV cache for the sites of a row, `[width]`."""
        return torch.arange(row * self.width + 1, (row + 1) * self.width + 1, device=self.device)

    def masked_slots(self, row: int) -> Tensor:
        """Return which slots up to the end of a row each of its sites may not attend to, `[width, slots]`.

        They are the site itself, later ones, and the slot of zeros.
        """
        sites = self.slots(row)
        masked = torch.arange((row + 1) * self.width, device=self.device) >= sites[:, None]
        masked[:, 0] = sites > 1
        return masked
