"""The weights of a program: one flat array, with slices that the instructions name.

A program holds a copy of the weights that it was recorded with; `WeightVersionCheck` detects that they have changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.program import FloatArray, Instruction, WeightSlice
from pointillist.errors import EngineError


class Weights:
    """Collect arrays while a program is recorded. The offset of a slice is final only after `compact`."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._arrays: list[FloatArray] = []

    def pack(self, array: NDArray[Any]) -> WeightSlice:
        """Add an array. Its slice holds the number of the array, not yet an offset."""
        self._arrays.append(np.array(array, dtype=self.dtype, order="C"))
        return WeightSlice(len(self._arrays) - 1, array.shape)

    def read(self, block: WeightSlice) -> FloatArray:
        """Return the array of a slice from `pack`."""
        return self._arrays[block.offset]

    def compact(
        self, lists: Iterable[tuple[Instruction, ...]]
    ) -> tuple[FloatArray, tuple[tuple[Instruction, ...], ...]]:
        """Lay out the arrays that are still in use, and replace the slices of the instructions by final ones.

        Returns:
            The flat array, and the lists of instructions.
        """
        placed: dict[int, WeightSlice] = {}
        kept: list[FloatArray] = []
        end = 0

        def final(block: WeightSlice) -> WeightSlice:
            nonlocal end
            if block.offset not in placed:
                placed[block.offset] = WeightSlice(end, block.shape)
                kept.append(self.read(block).reshape(-1))
                end += block.size
            return placed[block.offset]

        def move(i: Instruction) -> Instruction:
            return replace(i, constants=tuple(map(final, i.constants))) if i.constants else i

        moved = tuple(tuple(map(move, part)) for part in lists)
        return np.concatenate([*kept, np.zeros(0, self.dtype)]), moved


class WeightVersionCheck:
    """Compare the versions of tensors with those at construction. torch counts every change in place.

    Args:
        tensors: parameters and buffers of a model. Inference tensors have no version counter and are left out.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._tensors = [t for t in tensors if not t.is_inference()]
        self._state = self._now()

    def check(self) -> None:
        """Check that no tensor has changed.

        Raises:
            EngineError: if a tensor was written to, or has other memory.
        """
        if self._now() != self._state:
            raise EngineError(
                "The weights of the model have changed since this engine was opened, and it would go on with the old "
                "ones: open a new engine."
            )

    def _now(self) -> list[tuple[int, int]]:
        return [(t._version, t.data_ptr()) for t in self._tensors]


class WeightSnapshot:
    """A copy of tensors, which tells whether they have changed since, in place or in any other way.

    ```python
    snapshot = WeightSnapshot(model.state_dict().values())
    snapshot.holds(model.state_dict().values())  # True
    ```
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._copies = [t.detach().clone() for t in tensors]

    def holds(self, tensors: Iterable[Tensor]) -> bool:
        """Return True if these tensors have the types, shapes and values of the copies."""
        result = list(tensors)
        return len(result) == len(self._copies) and all(
            a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)
            for a, b in zip(result, self._copies, strict=True)
        )
