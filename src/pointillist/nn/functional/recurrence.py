"""An LSTM over the pixels of a feature map, a whole row or diagonal in one step.

At a pixel p, with `x` the contribution of the input to the gates and W_t the matrix of tap t,

    pre = x + sum over taps t of W_t hidden(p + t)
    o, f, i = sigmoid(pre), g = tanh(pre)
    cell = f cell(p + carry) + i g,   hidden = o tanh(cell)

(van den Oord et al. 2016a, eq. 3). Outside the image the state is the learned initial state in the direction of
`carry`, and zero everywhere else. Pixels outside the image are never computed, so no bias can give them a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.images.array_types import Float

Offset = tuple[int, int]


@dataclass(frozen=True)
class LSTMCellParams:
    """The parameters of an LSTM over pixels.

    Attributes:
        along: `rows` reads the row above with one centred tap for each matrix, and carries on the cell state of the
            pixel above. `diagonals` reads the pixel above and the pixel to the left, and carries on the cell state of
            the latter.
        weight: the matrix of each tap, from hidden features to the gates o, f, i, g.
        initial_hidden, initial_cell: the learned initial state.
    """

    along: Literal["rows", "diagonals"]
    weight: Float[Tensor, "t d 4*d"]
    initial_hidden: Float[Tensor, " d"]
    initial_cell: Float[Tensor, " d"]

    def taps(self, *, reverse: bool = False) -> tuple[Offset, ...]:
        """Offsets of the pixels that are read, as (rows down, columns right); mirrored if `reverse`."""
        if self.along == "diagonals":
            return (-1, 0), self.carry(reverse=reverse)
        half, step = len(self.weight) // 2, -1 if reverse else 1
        return tuple((-1, step * dx) for dx in range(-half, half + 1))

    def carry(self, *, reverse: bool = False) -> Offset:
        """Offset of the pixel whose cell state is carried on."""
        return (-1, 0) if self.along == "rows" else (0, 1 if reverse else -1)


def lstm(pre: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the next hidden and cell state (features in dim 1) from the pre-activations of the four gates."""
    d = cell.shape[1]
    output, forget, input = torch.sigmoid(pre[:, : 3 * d]).chunk(3, 1)
    cell = forget * cell + input * torch.tanh(pre[:, 3 * d :])
    return output * torch.tanh(cell), cell


def scan(cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool = False) -> Float[Tensor, "b d h w"]:
    """Run an LSTM over all pixels.

    Args:
        cell: the parameters.
        x: contribution of the input to the gates, `4 d` channels.
        reverse: run from right to left.

    Returns:
        The hidden features of every pixel.

    Example:
        ```python
        cell = LSTMCellParams("rows", torch.randn(3, 8, 32), torch.zeros(8), torch.zeros(8))
        scan(cell, torch.randn(2, 32, 5, 5)).shape  # (2, 8, 5, 5)
        ```
    """
    height, width = x.shape[2:]
    if x.numel() == 0:
        return x.new_zeros(x.shape[0], len(cell.initial_hidden), height, width)
    if cell.along == "rows":
        return _scan_rows(cell, x, reverse=reverse)
    if x.device.type == "cpu" and x.dtype == torch.bfloat16:
        # many small products: in half precision a CPU takes longer over them than in float32
        with torch.autocast("cpu", enabled=False):
            return _scan_diagonals(cell, x.float(), reverse=reverse).to(x.dtype)
    return _scan_diagonals(cell, x, reverse=reverse)


def _scan_rows(cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool) -> Float[Tensor, "b d h w"]:
    """Scan row by row, with a convolution: faster than a product with copied neighbours if the BLAS is slow."""
    batch, _, _, width = x.shape
    memory_format = torch.channels_last
    kernel = (cell.weight.flip(0) if reverse else cell.weight).permute(2, 1, 0).to(x.dtype)
    kernel = kernel[:, :, None].contiguous(memory_format=memory_format)
    initial = (cell.initial_hidden, cell.initial_cell)
    hidden, state = (t[:, None, None].expand(batch, -1, 1, width) for t in initial)  # (b, d, 1, w)
    hidden = hidden.contiguous(memory_format=memory_format)
    out = []
    # `unbind`, because indexing a row would make its gradient a whole map of zeros (twice as slow)
    for row in x.permute(2, 0, 3, 1).contiguous().unbind(0):
        above = F.conv2d(hidden, kernel, padding=(0, len(cell.weight) // 2))
        hidden, state = lstm(row.permute(0, 2, 1)[:, :, None] + above, state)
        out.append(hidden)
    return torch.cat(out, 2)


def _scan_diagonals(cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool) -> Float[Tensor, "b d h w"]:
    """Scan diagonal by diagonal; positions of the skewed map outside the image are never made.

    Diagonal t holds the pixels (r, t - r). The states of the diagonal before are put between a zero (the pixel above
    row 0) and the initial state (the pixel to the left of the row that begins), so that both taps are slices.
    """
    batch, _, height, width = x.shape
    d = len(cell.initial_hidden)
    weight = cell.weight.flatten(0, 1).to(x.dtype)  # cast once, not at every step under autocast
    order, sizes = diagonals(height, width, x.device, reverse=reverse)
    zero = x.new_zeros(1, batch, d)
    first_hidden, first_state = (t.expand(1, batch, d) for t in (cell.initial_hidden, cell.initial_cell))
    hidden, state = zero[:0], zero[:0]
    out = []
    pixels = x.permute(2, 3, 0, 1).flatten(0, 1)  # (h w, b, 4d): neighbours lie one after the other
    for t, pre in enumerate(torch.split(_reorder(pixels, order), sizes)):
        top = 1 if t >= width else 0  # whether the uppermost row has ended
        count = sizes[t]
        before = torch.cat([zero, hidden, first_hidden])
        read = torch.cat([before[top : top + count], before[top + 1 : top + 1 + count]], -1)
        state = torch.cat([state, first_state])[top : top + count]
        gates = torch.addmm(pre.flatten(0, 1), read.view(-1, 2 * d), weight)
        flat, flat_state = lstm(gates, state.view(-1, d))
        hidden, state = flat.view(count, batch, d), flat_state.view(count, batch, d)
        out.append(hidden)
    return _reorder(torch.cat(out), order.argsort()).view(height, width, batch, d).permute(2, 3, 0, 1)


def diagonals(height: int, width: int, device: torch.device, *, reverse: bool = False) -> tuple[Tensor, list[int]]:
    """List pixels by diagonal, each from top to bottom.

    Returns:
        The index `row * width + column` of each pixel in this order, and the length of each diagonal.
    """
    row = torch.arange(height, device=device)[:, None]
    column = torch.arange(width, device=device)
    step = row + (width - 1 - column if reverse else column)
    order = step.flatten().argsort(stable=True)
    sizes = [min(t, height - 1) - max(0, t - width + 1) + 1 for t in range(height + width - 1)]
    return order, sizes


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    """Permute the first axis: `x[order]`."""
    out: Tensor = _Reorder.apply(x, order)  # type: ignore[no-untyped-call, unused-ignore]
    return out


class _Reorder(torch.autograd.Function):
    """A permutation whose gradient is a permutation too; the gradient of indexing adds into zeros, which is slower."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, order: Tensor) -> Tensor:
        ctx.order = order  # type: ignore[attr-defined]
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        return _reorder(grad, ctx.order.argsort()), None  # type: ignore[attr-defined]
