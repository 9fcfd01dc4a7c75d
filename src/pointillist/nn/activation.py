"""Activations with their own backward passes, and a fast dropout for CPUs.

On a CPU a function of torch takes five times as long on a half of the channels as on a copy of that half.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import has_torch_function_unary

from pointillist.images.array_types import Float

_BITS = 15  # of each random number: torch fills 63 of 64 bits, so the highest bit of each 16 is not random


def gate(x: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b d h w"]:
    """Compute tanh(first half of the channels) sigmoid(second half) (van den Oord et al. 2016b, eq. 2).

    Example:
        ```python
        gate(torch.randn(2, 8, 5, 5)).shape  # (2, 4, 5, 5)
        ```
    """
    if has_torch_function_unary(x):  # a recorder reads the formula
        values, gates = x.chunk(2, 1)
        return torch.tanh(values) * torch.sigmoid(gates)
    if torch.compiler.is_compiling():  # fuses what it reads
        values, gates = x.chunk(2, 1)
        wide = values if values.dtype == torch.float64 else values.float()
        tanh = (2 * torch.sigmoid(2 * wide) - 1).to(x.dtype) if x.device.type == "cpu" else torch.tanh(values)
        return tanh * torch.sigmoid(gates)
    out: Tensor = _Gate.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return out


class _Gate(torch.autograd.Function):
    """The gate in fewer passes over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        values, gates = x.chunk(2, 1)
        tanh, sigmoid = torch.tanh(_wide_copy(values)).to(x.dtype), torch.sigmoid(gates.clone())
        ctx.save_for_backward(tanh, sigmoid)
        return tanh * sigmoid

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """d/da = g s (1 - t^2), d/db = g t s (1 - s), for t = tanh(a) and s = sigmoid(b)."""
        tanh, sigmoid = ctx.saved_tensors
        grad_sigmoid = grad * sigmoid
        product = grad_sigmoid * tanh
        grad_tanh = torch.addcmul(grad_sigmoid, product, tanh, value=-1)
        return torch.cat([grad_tanh, torch.addcmul(product, product, sigmoid, value=-1)], 1)


def concat_elu(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 2*d h w"]:
    """Concatenate elu(x) and elu(-x) (Salimans et al. 2017, as in the released code).

    Example:
        ```python
        concat_elu(torch.ones(1, 1, 1, 1)).flatten()  # [1, -0.6321]
        ```
    """
    if has_torch_function_unary(x) or torch.compiler.is_compiling():
        return F.elu(torch.cat([x, -x], 1))
    out: Tensor = _ConcatELU.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return out


class _ConcatELU(torch.autograd.Function):
    """Both halves by one exponential, which takes a quarter of the time of torch's ELU: max(x, exp(-|x|) - 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        below = _wide_copy(x).abs_().neg_().exp_().sub_(1).to(x.dtype)
        out = torch.cat([torch.maximum(x, below), torch.maximum(-x, below)], 1)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """The slope is 1 above 0, and elu(x) + 1 below."""
        slopes = torch.ops.aten.elu_backward(grad, 1.0, 1.0, 1.0, True, *ctx.saved_tensors)
        out: Tensor = torch.sub(*slopes.chunk(2, 1))
        return out


def _wide_copy(x: Tensor) -> Tensor:
    """Copy in at least float32, in which torch is fastest."""
    return x.to(torch.promote_types(x.dtype, torch.float32), copy=True)


def _random_bits(like: Tensor, _: Tensor) -> Tensor:
    """Draw an integer of `_BITS` bits for each element; a compiler merges calls with the same two arguments."""
    dense = torch.empty_like(like, dtype=torch.int16)  # strides of the result: without gaps, which `like` may have
    numbers = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_()
    bits = numbers.view(torch.int16)[: like.numel()].bitwise_and_(2**_BITS - 1)
    return bits.as_strided(dense.shape, dense.stride())


_library: Any = torch.library  # it has no types
_OPERATORS = _library.Library("pointillist", "FRAGMENT")  # a compiler calls them as they are
_OPERATORS.define("random_bits(Tensor like, Tensor call) -> Tensor", tags=(torch.Tag.nondeterministic_seeded,))
_OPERATORS.impl("random_bits", _random_bits, "CPU")
_OPERATORS.impl("random_bits", lambda like, _: torch.empty_like(like, dtype=torch.int16), "Meta")


class Dropout(nn.Dropout):
    """Dropout like `nn.Dropout`, with probabilities in steps of 2^-15 and a cheaper random mask on CPUs.

    On a CPU torch draws one random number at a time, compiled or not. Each 64-bit number decides about four elements
    here.

    Example:
        ```python
        Dropout(0.5)(torch.ones(4))  # for example tensor([0., 2., 2., 0.])
        ```
    """

    def forward(self, input: Tensor) -> Tensor:
        """In training, set each element to 0 with probability p and divide the others by 1 - p."""
        threshold = round((1 - self.p) * 2**_BITS)
        if not self.training or input.device.type != "cpu" or self.inplace or not 0 < threshold < 2**_BITS:
            return super().forward(input)
        bits = torch.ops.pointillist.random_bits(input.detach(), torch.empty(0))
        scaled: Tensor = input * (bits < threshold).to(input.dtype).mul_(2**_BITS / threshold)
        return scaled
