"""Encode quantized weights compactly for a file: int8 with scales, or bf16.

Encoding is lossless: decoding gives the weights of the model to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pointillist.checkpoint.files import TensorInfo
from pointillist.checkpoint.quantization import (
    dequantize_int8,
    is_quantizable,
    output_axis,
    quantize_int8,
    weight_dtype,
)
from pointillist.errors import CheckpointError

_SCALE = "_scale"


def encode_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Encode the tensors of a model: quantized matrices as int8 with scales (`NAME_scale`), or as bf16.

    Example:
        ```python
        model = quantize_weights(model, "int8")
        encode_tensors(model.state_dict())  # about a quarter of the bytes
        ```
    """
    dtype = weight_dtype(tensors)
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if dtype == "int8" and is_quantizable(name, tensor.shape):
            stored[name], stored[name + _SCALE] = quantize_int8(tensor)
        else:
            stored[name] = tensor.bfloat16() if dtype == "bf16" and is_quantizable(name, tensor.shape) else tensor
    return stored


def decode_tensors(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Decode the tensors of `encode_tensors`, to the bit."""
    found: dict[str, Tensor] = {}
    scales = {name + _SCALE for name, tensor in stored.items() if tensor.dtype == torch.int8}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            found[name] = dequantize_int8(tensor, stored[name + _SCALE])
        elif name not in scales:
            found[name] = tensor.float()
    return found


def expanded_shapes(stored: Mapping[str, TensorInfo]) -> dict[str, tuple[int, ...]]:
    """Compute the shapes that `decode_tensors` will return, from the header of a file.

    Raises:
        CheckpointError: if a tensor has a type that weights cannot have, or is int8 without matching scales.
    """
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    for name, tensor in stored.items():
        if tensor.dtype == "I8":
            scale = stored.get(name + _SCALE)
            wanted = TensorInfo("F32", tensor.shape[output_axis(len(tensor.shape)) :][:1])
            if not is_quantizable(name, tensor.shape) or scale != wanted:
                raise CheckpointError(
                    f"The int8 weights `{name}` {tensor.shape} have the scales {scale} but need {wanted}: "
                    "copy the whole folder again."
                )
            del shapes[name + _SCALE]
        elif tensor.dtype not in ("F64", "F32", "F16", "BF16"):
            raise CheckpointError(
                f"The weights `{name}` are of type {tensor.dtype}, not floating point or int8 with scales: "
                "copy the whole folder again."
            )
    return shapes
