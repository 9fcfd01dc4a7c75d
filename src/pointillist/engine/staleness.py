"""Detect changed weights: a program holds a copy of the weights that it was recorded with."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

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
