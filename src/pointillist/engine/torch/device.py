"""The device of an executor of torch, and the precision of its products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pointillist.errors import EngineError


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


@contextmanager
def full_float32() -> Iterator[None]:
    """Disable TF32 products on a GPU within the block, whatever the settings of torch."""
    products = torch.backends.cuda.matmul
    name, full = ("fp32_precision", "ieee") if hasattr(products, "fp32_precision") else ("allow_tf32", False)
    before = getattr(products, name)
    setattr(products, name, full)
    try:
        yield
    finally:
        setattr(products, name, before)
