"""Whether the weights are still those that a program was recorded with: a program holds a copy of them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from pointillist.errors import EngineError


class WeightVersionCheck:
    """Remembers the state of tensors; torch counts every change in place.

    Args:
        tensors: parameters and buffers of a model. What was made in inference mode has no count, and is left out.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._tensors = [t for t in tensors if not t.is_inference()]
        self._state = self._now()

    def check(self) -> None:
        """Refuse to go on with old weights.

        Raises:
            EngineError: if a tensor was written to, or given other memory.
        """
        if self._now() != self._state:
            raise EngineError(
                "The weights of the model have changed since this engine was opened, and it would go on with the old "
                "ones: open a new engine."
            )

    def _now(self) -> list[tuple[int, int]]:
        return [(t._version, t.data_ptr()) for t in self._tensors]
