"""How the tensors of a model lie in its file: rounded matrices as what gives them back.

Only the file differs: what is read again is the model to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pointillist.checkpoint.files import TensorInfo
from pointillist.checkpoint.quantization import from_int8, is_matrix, kind_of, output_axis, to_int8
from pointillist.errors import CheckpointError

_SCALE = "_scale"


def encode_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a model as they are stored: those of a rounded one in int8 (with `NAME_scale`) or bf16."""
    kind = kind_of(tensors)
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if kind == "int8" and is_matrix(name, tensor.shape):
            stored[name], stored[name + _SCALE] = to_int8(tensor)
        else:
            stored[name] = tensor.bfloat16() if kind == "bf16" and is_matrix(name, tensor.shape) else tensor
    return stored


def decode_tensors(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model, to the bit, from those of `encode_tensors`."""
    found: dict[str, Tensor] = {}
    scales = {name + _SCALE for name, tensor in stored.items() if tensor.dtype == torch.int8}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            found[name] = from_int8(tensor, stored[name + _SCALE])
        elif name not in scales:
            found[name] = tensor.float()
    return found


def expanded_shapes(stored: Mapping[str, TensorInfo]) -> dict[str, tuple[int, ...]]:
    """The shapes that `decode_tensors` will give, before anything is read.

    Raises:
        CheckpointError: if a tensor is of a type that no weights have, or int8 without the scales that belong to it.
    """
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    for name, tensor in stored.items():
        if tensor.kind == "I8":
            scale = stored.get(name + _SCALE)
            wanted = TensorInfo("F32", tensor.shape[output_axis(len(tensor.shape)) :][:1])
            if not is_matrix(name, tensor.shape) or scale != wanted:
                raise CheckpointError(
                    f"The int8 weights `{name}` {tensor.shape} have the scales {scale}, and need {wanted}: "
                    "copy the whole folder again."
                )
            del shapes[name + _SCALE]
        elif tensor.kind not in ("F64", "F32", "F16", "BF16"):
            raise CheckpointError(
                f"The weights `{name}` are of type {tensor.kind}, not floating point or int8 with scales: "
                "copy the whole folder again."
            )
    return shapes
