"""Compact weights: the matrices of a model rounded to bf16, or to int8 with one scale an output.

    s = max |w| / 127 over the weights of an output, kept to 17 bits
    q = round(w / s), a whole number from -127 to 127
    w' = q s

A product of 7 and 17 bits is exact in float32, so w' is one value, in every engine and on every machine; rounding it
again changes nothing, and q and s are found again from w' alone. A rounded model is therefore a model like any other,
in float32: what it scores is what it paints. Only its file, and an engine where that is faster, hold q and s.

What is rounded are the matrices: tensors of at least `LEAST_OUTPUTS` outputs with `LEAST_INPUTS` or more weights each,
which are the kernels of layers and the tables of labels, words and levels. The last layer of a network, `output`, stays
as it is, because a mixture of logistics tells 256 levels apart by its numbers. So do biases, gains, first states, maps
of positions and kernels of few inputs, which are small.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TypeVar

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from pointillist.errors import ConfigError

Model = TypeVar("Model", bound=nn.Module)

KINDS = ("int8", "bf16")
LEAST_OUTPUTS, LEAST_INPUTS = 2, 16
LARGEST = 127
TINY = 2.0**-100
"""An output whose weights are all smaller is zero: below, scales run out of bits."""
_DROPPED_BITS = 24 - 17
OUTPUT = "output.weight"


def quantize_weights(model: Model, kind: str) -> Model:
    """A copy of a model with rounded matrices; see the head of this file.

    Args:
        model: in float32 or float64; it stays as it is.
        kind: `int8` or `bf16`.

    Raises:
        ConfigError: for another kind, or weights that are not finite.
    """
    if kind not in KINDS:
        raise ConfigError(f"Weights (={kind!r}) are rounded to int8 or bf16: choose one of them.")
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in rounded.state_dict().items():
            if is_matrix(name, weight.shape):
                if not weight.isfinite().all():
                    raise ConfigError(f"Weights of `{name}` are not finite, and cannot be rounded: train again.")
                weight.copy_(_rounded(weight, kind))
    return rounded


def kind_of(tensors: Mapping[str, Tensor]) -> str:
    """`int8` or `bf16` if all matrices are rounded so, else `float32`."""
    matrices = [tensor for name, tensor in tensors.items() if is_matrix(name, tensor.shape)]
    for kind in KINDS if matrices else ():
        if all(torch.equal(weight, _rounded(weight, kind).to(weight.dtype)) for weight in matrices):
            return kind
    return "float32"


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this name and shape is rounded."""
    if len(shape) < 2 or name.endswith(OUTPUT):
        return False
    outputs, size = shape[output_axis(len(shape))], math.prod(shape)
    return outputs >= LEAST_OUTPUTS and size >= outputs * LEAST_INPUTS


def to_int8(weight: Float[Tensor, "*axes"]) -> tuple[Int8[Tensor, "*axes"], Float[Tensor, " outputs"]]:
    """q and s of a matrix, as at the head of this file."""
    weight = weight.detach().float()
    axis = output_axis(weight.ndim)
    largest = weight.abs().amax([i for i in range(weight.ndim) if i != axis])
    scale = (largest / LARGEST).view(torch.int32).bitwise_and(-1 << _DROPPED_BITS).view(torch.float32)
    scale = torch.where(largest >= TINY, scale, 0.0)
    whole = weight / _along(torch.where(scale > 0, scale, torch.inf), weight.ndim)
    return whole.round().clamp(-LARGEST, LARGEST).to(torch.int8), scale


def from_int8(whole: Int8[Tensor, "*axes"], scale: Float[Tensor, " outputs"]) -> Float[Tensor, "*axes"]:
    """w' = q s, exactly."""
    return whole.float() * _along(scale, whole.ndim)


def _rounded(weight: Tensor, kind: str) -> Tensor:
    return from_int8(*to_int8(weight)) if kind == "int8" else weight.bfloat16().float()


def output_axis(axes: int) -> int:
    """The axis of the outputs: the first, and the last in the kernels `[taps, in, out]` of recurrences."""
    return 2 if axes == 3 else 0


def _along(scale: Tensor, axes: int) -> Tensor:
    """Scales against a matrix of so many axes."""
    return scale if axes == 3 else scale.reshape(-1, *[1] * (axes - 1))
