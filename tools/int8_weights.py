"""Round the weights of a bundled model to int8 and store them so: a quarter of the bytes in the repository.

    s = max |w| / 127 over the weights of an output, truncated to 17 bits
    q = round(w / s), an integer from -127 to 127
    w' = q s

A product of 7 and 17 bits is exact in float32, so the weights that `pt.load` reads are the rounded weights to the bit.
Rounding again changes nothing. Matrices are tensors with at least two outputs of 16 or more weights each. The last
layer is not rounded, because a mixture of logistics resolves 256 levels through its parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from pointillist import PixelModel
from pointillist.conditioning.portable import StoredWeights
from pointillist.files.arrays import SCALE_SUFFIX, WEIGHTS, read_config, settings_digest
from pointillist.files.tensors import decode_weights, read_tensors, write_tensors
from pointillist.model.portable import IntegerPart, ProgramModel

SCALE_BITS = -1 << (24 - 17)
TINY = 2.0**-100
"""An output whose weights are all smaller becomes zero: below, scales run out of bits."""


def round_weights(model: PixelModel, bf16: Collection[str] = ()) -> PixelModel:
    """Return a copy of a model with rounded matrices; some may be rounded to bf16, such as a first prediction."""
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in rounded.state_dict().items():
            if name in bf16:
                weight.copy_(weight.bfloat16())
            elif is_matrix(name, weight):
                weight.copy_(decode_weights(to_int8(name, weight))[name])
    return rounded


def is_matrix(name: str, weight: Tensor) -> bool:
    """Return True for the kernels of layers and for embeddings."""
    outputs = weight.shape[2 if weight.ndim == 3 else 0] if weight.ndim > 1 else 0
    return not name.endswith("output.weight") and outputs > 1 and weight.numel() >= 16 * outputs


def to_int8(name: str, weight: Tensor) -> dict[str, Tensor]:
    """Compute q, of the shape of a matrix, and s, one for each output: the last of three axes, else the first."""
    axis = 2 if weight.ndim == 3 else 0
    largest = weight.abs().amax([i for i in range(weight.ndim) if i != axis], keepdim=True)
    scale = (largest / 127).view(torch.int32).bitwise_and(SCALE_BITS).view(torch.float32)
    scale = torch.where(largest >= TINY, scale, 0.0)
    q = (weight / torch.where(scale > 0, scale, torch.inf)).round().clamp(-127, 127)
    return {name: q.to(torch.int8), name + SCALE_SUFFIX: scale.flatten()}


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Store rounded matrices as integers with their scales, or as bf16, wherever that keeps every bit."""
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        stored = to_int8(name, weight) if is_matrix(name, weight) else {name: weight}
        if not torch.equal(decode_weights(stored)[name], weight):
            stored = {name: weight.bfloat16() if torch.equal(weight.bfloat16().float(), weight) else weight}
        packed |= stored
    return packed


def pack_folder(folder: Path) -> None:
    """Write the weights of a model folder again, packed."""
    config = read_config(folder)
    write_tensors(folder / WEIGHTS, pack(read_tensors(folder / WEIGHTS)), settings=settings_digest(config))


def pack_encoders(model: ProgramModel) -> ProgramModel:
    """Pack the stored encoders of an integer program of rounded weights."""

    def packed(part: IntegerPart) -> IntegerPart:
        weights = getattr(part.encoder, "weights", None)
        if weights is None:
            return part
        arrays = pack({name: torch.from_numpy(array) for name, array in weights.arrays.items()})
        stored = StoredWeights({name: tensor.numpy() for name, tensor in arrays.items()})
        return replace(part, encoder=replace(part.encoder, weights=stored))

    return replace(model, parts=tuple(tuple(map(packed, parts)) for parts in model.parts))
