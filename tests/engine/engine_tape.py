"""What a CUDA graph does, without a GPU: operations are written down once, on the tensors that they met, and repeated.

As in a graph, nothing of Python happens again: a decision by the row, or a buffer that is another one the next time,
shows as a wrong number. What a capture forbids is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

FORBIDDEN = ("_local_scalar_dense", "nonzero", "unique", "masked_select", "equal.default", "is_nonzero")
"""They bring numbers back to Python, or make a shape of them."""

Work = Callable[[], None]


class Tape(TorchDispatchMode):
    """Writes down every operation."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(name in str(func) for name in FORBIDDEN):
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    def repeat(self) -> None:
        """Every operation again, into the tensors of the first time."""
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():  # else a view
                    old.copy_(new)


class Tapes:
    """Captures as `CudaGraphs` does, and counts.

    Attributes:
        captured, replayed: how many pieces, and how often.
    """

    def __init__(self) -> None:
        self.captured = self.replayed = 0

    def __call__(self, work: Work) -> Work:
        """Write the work down; it is done meanwhile, so that its first replay does nothing."""
        tape, fresh = Tape(), [True]
        with tape:
            work()
        self.captured += 1

        def replay() -> None:
            self.replayed += 1
            if not fresh:
                tape.repeat()
            fresh.clear()

        return replay
