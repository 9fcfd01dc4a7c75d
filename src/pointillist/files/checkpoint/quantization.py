"""Weight quantization: round the matrices of a model to bf16, or to int8 with one scale for each output.

    s = max |w| / 127 over the weights of an output, truncated to 17 bits
    q = round(w / s), an integer from -127 to 127
    w' = q s

A product of 7 and 17 bits is exact in float32, so w' is the same value in every engine and on every machine. Quantizing
it again changes nothing, and q and s can be recovered from w' alone. A quantized model is therefore an ordinary float32
model, and its likelihood belongs to its samples. Only its file, and engines where it is faster, use q and s.

Matrices are tensors with at least `MIN_OUTPUTS` outputs of `MIN_INPUTS` or more weights each: the kernels of layers,
and the embeddings of labels, words and levels. The last layer of a network, `output`, is not quantized, because a
mixture of logistics resolves 256 levels through its parameters. Nor are biases, gains, initial states, position maps
and kernels with few inputs, which are small. Some matrices of a model in int8 may be in bf16.

A file holds q and s, or bf16, in place of w'. Decoding gives the weights of the model to the bit.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from pointillist.errors import CheckpointError, ConfigError, quote
from pointillist.files.arrays import SCALE_SUFFIX
from pointillist.files.checkpoint.header import TensorInfo

Model = TypeVar("Model", bound=nn.Module)

QUANTIZED_DTYPES = ("int8", "bf16")
MIN_OUTPUTS, MIN_INPUTS = 2, 16
MAX_INT8 = 127
TINY = 2.0**-100
"""An output whose weights are all smaller becomes zero: below, scales run out of bits."""
_DROPPED_BITS = 24 - 17
OUTPUT = "output.weight"
MAX_WEIGHT = 1e6
"""Largest magnitude of a weight that is loaded; weights of the bundled models stay below 5."""


def quantize_weights(model: Model, dtype: str, *, fine: Collection[str] = ()) -> Model:
    """Return a copy of a model with quantized matrices; the head of this file has the formula.

    Args:
        model: a model in float32 or float64; it is not changed.
        dtype: `int8` or `bf16`.
        fine: names of matrices that become bf16 in any case, such as a first layer that is a prediction.

    Raises:
        ConfigError: if `dtype` is neither, or weights are not finite.

    Example:
        ```python
        small = pointillist.quantize_weights(model, "int8")
        small.save_pretrained("digits-int8")
        ```
    """
    if not isinstance(dtype, str) or dtype not in QUANTIZED_DTYPES:
        raise ConfigError(f"Weights (={quote(dtype)}) can be quantized to int8 or bf16: choose one of them.")
    if not isinstance(model, torch.nn.Module):
        raise ConfigError(f"`model` (={quote(model)}) must be a network, from `pt.build` or `pt.load`.")
    quantized = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in quantized.state_dict().items():
            if is_quantizable(name, weight.shape):
                if not weight.isfinite().all():
                    raise ConfigError(f"Weights of `{name}` are not finite and cannot be quantized: train again.")
                weight.copy_(_quantize(weight, "bf16" if name in fine else dtype))
    return quantized


def weight_dtype(tensors: Mapping[str, Tensor]) -> str:
    """Detect the quantization of weights: `float32` if a matrix is not quantized, `int8` if some are bf16 alone."""
    matrices = [_dtypes(tensor) for name, tensor in tensors.items() if is_quantizable(name, tensor.shape)]
    if not matrices or not all(matrices):
        return "float32"
    return (
        "bf16" if all("bf16" in each for each in matrices) and not all("int8" in each for each in matrices) else "int8"
    )


def _dtypes(weight: Tensor) -> list[str]:
    """Return the types that hold a matrix to the bit."""
    return [dtype for dtype in QUANTIZED_DTYPES if torch.equal(weight, _quantize(weight, dtype).to(weight.dtype))]


def is_quantizable(name: str, shape: tuple[int, ...]) -> bool:
    """Check whether a tensor of this name and shape is a matrix that is quantized."""
    if len(shape) < 2 or name.endswith(OUTPUT):
        return False
    outputs, size = shape[output_axis(len(shape))], math.prod(shape)
    return outputs >= MIN_OUTPUTS and size >= outputs * MIN_INPUTS


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Compute q, of the shape of a matrix, and s, one for each output; the head of this file has the formula."""
    weight = weight.detach().float()
    axis = output_axis(weight.ndim)
    largest = weight.abs().amax([i for i in range(weight.ndim) if i != axis])
    scale = (largest / MAX_INT8).view(torch.int32).bitwise_and(-1 << _DROPPED_BITS).view(torch.float32)
    scale = torch.where(largest >= TINY, scale, 0.0)
    q = weight / _along(torch.where(scale > 0, scale, torch.inf), weight.ndim)
    return q.round().clamp(-MAX_INT8, MAX_INT8).to(torch.int8), scale


def dequantize_int8(q: Tensor, scale: Tensor) -> Tensor:
    """Compute w' = q s, exactly."""
    return q.float() * _along(scale, q.ndim)


def _quantize(weight: Tensor, dtype: str) -> Tensor:
    return dequantize_int8(*quantize_int8(weight)) if dtype == "int8" else weight.bfloat16().float()


def output_axis(axes: int) -> int:
    """Return the axis of the outputs: the first, or the last in the kernels `[taps, in, out]` of recurrences."""
    return 2 if axes == 3 else 0


def _along(scale: Tensor, axes: int) -> Tensor:
    """Reshape scales to broadcast against a matrix with `axes` axes."""
    return scale if axes == 3 else scale.reshape(-1, *[1] * (axes - 1))


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
        is_matrix = dtype != "float32" and is_quantizable(name, tensor.shape)
        if is_matrix and dtype == "int8" and dtype in _dtypes(tensor):
            stored[name], stored[name + SCALE_SUFFIX] = quantize_int8(tensor)
        else:
            stored[name] = tensor.bfloat16() if is_matrix else tensor
    return stored


def decode_tensors(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Decode the tensors of `encode_tensors`, to the bit."""
    result: dict[str, Tensor] = {}
    scales = {name + SCALE_SUFFIX for name, tensor in stored.items() if tensor.dtype == torch.int8}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            result[name] = dequantize_int8(tensor, stored[name + SCALE_SUFFIX])
        elif name not in scales:
            result[name] = tensor.float()
    return result


def check_values(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Reject weights that are not finite, or absurdly large: every likelihood computed from them would be NaN.

    Args:
        tensors: decoded weights, by name.
        path: their file, for the message.

    Raises:
        CheckpointError: naming the first such tensor.
    """
    for name, tensor in tensors.items():
        if tensor.numel() and not (largest := float(tensor.abs().max())) <= MAX_WEIGHT:  # a NaN compares as false
            what = "a weight that is not finite" if not math.isfinite(largest) else f"a weight of size {largest:.3g}"
            raise CheckpointError(
                f"{path} cannot be used: tensor {name!r} holds {what}, where at most {MAX_WEIGHT:.0e} is allowed; "
                "train again, or download the model again."
            )


def expanded_shapes(stored: Mapping[str, TensorInfo]) -> dict[str, tuple[int, ...]]:
    """Compute the shapes that `decode_tensors` will return, from the header of a file.

    Raises:
        CheckpointError: if a tensor has a type that weights cannot have, or is int8 without matching scales.
    """
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    for name, tensor in stored.items():
        if tensor.dtype == "I8":
            scale = stored.get(name + SCALE_SUFFIX)
            wanted = TensorInfo("F32", tensor.shape[output_axis(len(tensor.shape)) :][:1])
            if not is_quantizable(name, tensor.shape) or scale != wanted:
                raise CheckpointError(
                    f"The int8 weights `{name}` {tensor.shape} have the scales {scale} but need {wanted}: "
                    "copy the whole folder again."
                )
            del shapes[name + SCALE_SUFFIX]
        elif tensor.dtype not in ("F64", "F32", "F16", "BF16"):
            raise CheckpointError(
                f"The weights `{name}` are of type {tensor.dtype}, not floating point or int8 with scales: "
                "copy the whole folder again."
            )
    return shapes
