"""The gated activation of van den Oord et al. 2016b with its own backward pass, and a fast dropout for CPUs."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import has_torch_function_unary

_BITS = 15  # of each random number: torch fills 63 of 64 bits, so the highest bit of each 16 is not random


def gate(x: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b d h w"]:
    """Compute tanh(first half of the channels) sigmoid(second half) (van den Oord et al. 2016b, eq. 2).

    Example:
        ```python
        gate(torch.randn(2, 8, 5, 5)).shape  # (2, 4, 5, 5)
        ```
    """
    if has_torch_function_unary(x) or torch.compiler.is_compiling():  # a recorder and a compiler read the formula
        values, gates = x.chunk(2, 1)
        return torch.tanh(values) * torch.sigmoid(gates)
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
    """2 sigmoid(2x) - 1: on a CPU torch's tanh takes four times as long. Half precision would lose values near 0."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return torch.tanh(x)
    return torch.sigmoid(2 * x).mul_(2).sub_(1)


class Dropout(nn.Dropout):
    """Dropout like `nn.Dropout`, with probabilities in steps of 2^-15 and a cheaper random mask on CPUs.

    On a CPU torch draws one random number at a time. Each 64-bit number decides about four elements here.

    Example:
        ```python
        Dropout(0.5)(torch.ones(4))  # for example tensor([0., 2., 2., 0.])
        ```
    """

    def forward(self, input: Tensor) -> Tensor:
        """In training, set each element to 0 with probability p and divide the others by 1 - p."""
        threshold = round((1 - self.p) * 2**_BITS)
        plain = self.inplace or torch.compiler.is_compiling()  # a compiler draws the mask where it is used
        if not self.training or input.device.type != "cpu" or plain or not 0 < threshold < 2**_BITS:
            dropped: Tensor = super().forward(input)
            return dropped
        numbers = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_()
        random = numbers.view(torch.int16)[: input.numel()].bitwise_and_(2**_BITS - 1)
        scale = (random < threshold).to(input.dtype).mul_(2**_BITS / threshold)
        dense = torch.empty_like(input)  # has the strides of the result: without gaps, which the input may have
        scaled: Tensor = input * scale.as_strided(dense.shape, dense.stride())
        return scaled
