"""The device of an executor of torch."""

from __future__ import annotations

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
