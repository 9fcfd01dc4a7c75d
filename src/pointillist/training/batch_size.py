"""The largest batch that fits, from what one image keeps for the backward pass."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.system.hardware import free_bytes

SHARE = 0.5  # of free memory: the rest is for weights, their moments, and what other layers need for a moment
LARGEST = 256
LARGEST_ON_CPU = 32  # more images at once are no faster on a CPU, and learn less from each pass


def largest_batch(model: PixelModel) -> int:
    """A power of two; at least 1. Where the system does not tell what is free, as many as are of use."""
    limit = LARGEST_ON_CPU if model.device.type == "cpu" else LARGEST
    free = free_bytes(model.device)
    if free is None:
        return limit
    fitting = max(1, int(SHARE * free / saved_bytes(model)))
    return min(limit, 1 << (fitting.bit_length() - 1))


def saved_bytes(model: PixelModel) -> int:
    """Bytes that autograd keeps for one image."""
    image = model.image
    x = torch.zeros(1, *image.shape, dtype=torch.int64, device=model.device)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = model(x).sum()
    del loss
    return max(1, sum(kept.values()))
