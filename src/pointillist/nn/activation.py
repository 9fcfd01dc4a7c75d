"""The gated activation of van den Oord et al. 2016b with its own backward pass, and a fast dropout for CPUs."""

from __future__ import annotations

from typing import Any

import torch
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
    """The gate in fewer passes over memory: both halves of the gradient are written in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        values, gates = x.chunk(2, 1)
        tanh, sigmoid = _tanh(values), torch.sigmoid(gates)
        ctx.save_for_backward(tanh, sigmoid)
        return tanh * sigmoid

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """d/da = g s (1 - t^2), d/db = g t s (1 - s), for t = tanh(a) and s = sigmoid(b)."""
        tanh, sigmoid = ctx.saved_tensors
        grad_sigmoid = grad * sigmoid
        product = grad_sigmoid * tanh
        batch, d, height, width = grad.shape
        last = sigmoid.is_contiguous(memory_format=torch.channels_last) and not sigmoid.is_contiguous()
        memory_format = torch.channels_last if last else torch.contiguous_format
        shape = (batch, 2 * d, height, width)
        out = torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=memory_format)
        torch.addcmul(grad_sigmoid, product, tanh, value=-1, out=out[:, :d])
        torch.addcmul(product, product, sigmoid, value=-1, out=out[:, d:])
        return out


def _tanh(x: Tensor) -> Tensor:
    """Compute 2 sigmoid(2x) - 1: on a CPU torch's tanh takes four times as long. Half precision loses values near 0."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return torch.tanh(x)
    return torch.sigmoid(2 * x).mul_(2).sub_(1)


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
