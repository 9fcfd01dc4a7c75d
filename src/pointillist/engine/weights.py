"""Checks that the weights of a model are still those that a program was recorded with, of which it holds a copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.program import IntArray
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import EngineError


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


class GuardedStepper:
    """A stepper of a recorded program that raises an error at a new row when the weights have changed.

        stepper = GuardedStepper(Interpreter(program, batch=2), model.parameters())

    Args:
        engine: stepper to guard.
        tensors: parameters and buffers of the model that was recorded.
    """

    def __init__(self, engine: ProgramStepper, tensors: Iterable[Tensor]) -> None:
        self.engine = engine
        self._weights = WeightVersionCheck(tensors)
        self._row = -1

    def params(self) -> NDArray[Any]:
        """See `ProgramStepper`."""
        row = self.engine.site[0]
        if row != self._row:
            self._weights.check()
            self._row = row
        return self.engine.params()

    def observe(self, values: NDArray[Any]) -> None:
        """See `ProgramStepper`."""
        self.engine.observe(values)

    def select(self, indices: IntArray) -> None:
        """See `ProgramStepper`."""
        self.engine.select(indices)

    def save(self) -> Any:
        """See `ProgramStepper`."""
        return self.engine.save()

    def restore(self, state: Any) -> None:
        """See `ProgramStepper`."""
        self.engine.restore(state)
