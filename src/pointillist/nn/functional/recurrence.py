"""An LSTM over the sites of a map, all sites at once: a row, or a diagonal, in one step.

At a site, with `x` what the input adds to the gates and W_t the matrix of tap t,

    pre = x + sum over taps t of W_t hidden(site + t)
    o, f, i = sigmoid(pre), g = tanh(pre)
    memory = f memory(site + carry) + i g,   hidden = o tanh(memory)

(van den Oord et al. 2016a, eq. 3). What lies outside the image: in the direction of `carry` the learned initial state,
everywhere else zero. Sites outside the image are never computed, so no bias can give them a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Offset = tuple[int, int]


@dataclass(frozen=True)
class LSTMCellParams:
    """The numbers of an LSTM over sites.

    Attributes:
        along: `rows`: reads the row above, as many taps as there are matrices, centred; keeps the memory of the site
            above. `diagonals`: reads the site above and the site to the left; keeps the memory of the latter.
        weight: the matrix of each tap, from hidden features to the gates o, f, i, g.
        hidden, memory: the initial state.
    """

    along: Literal["rows", "diagonals"]
    weight: Float[Tensor, "t d 4*d"]
    hidden: Float[Tensor, " d"]
    memory: Float[Tensor, " d"]

    def taps(self, *, reverse: bool = False) -> tuple[Offset, ...]:
        """The sites that are read, as (rows down, columns right), mirrored for a scan from right to left."""
        if self.along == "diagonals":
            return (-1, 0), self.carry(reverse=reverse)
        half, step = len(self.weight) // 2, -1 if reverse else 1
        return tuple((-1, step * dx) for dx in range(-half, half + 1))

    def carry(self, *, reverse: bool = False) -> Offset:
        """The site whose memory is kept."""
        return (-1, 0) if self.along == "rows" else (0, 1 if reverse else -1)


def lstm(pre: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The next hidden and memory features (dim 1) from the four gates before their non-linearities."""
    d = memory.shape[1]
    output, forget, write = torch.sigmoid(pre[:, : 3 * d]).chunk(3, 1)
    memory = forget * memory + write * torch.tanh(pre[:, 3 * d :])
    return output * torch.tanh(memory), memory


def scan(cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool = False) -> Float[Tensor, "b d h w"]:
    """The hidden features of all sites; `reverse` runs on the mirrored map and mirrors the result."""
    height, width = x.shape[2:]
    if x.numel() == 0:
        return x.new_zeros(x.shape[0], len(cell.hidden), height, width)
    if cell.along == "rows":
        return _scan_rows(cell, x, reverse=reverse)
    if x.device.type == "cpu" and x.dtype == torch.bfloat16:
        # many small products: in half precision a CPU takes longer over them than in float32
        with torch.autocast("cpu", enabled=False):
            return _scan_diagonals(cell, x.float(), reverse=reverse).to(x.dtype)
    return _scan_diagonals(cell, x, reverse=reverse)


def _scan_rows(cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool) -> Float[Tensor, "b d h w"]:
    """Row by row. A convolution, not a product with copied neighbours: faster where the matrix library is slow."""
    batch, _, _, width = x.shape
    layout = torch.channels_last
    kernel = (cell.weight.flip(0) if reverse else cell.weight).permute(2, 1, 0).to(x.dtype)
    kernel = kernel[:, :, None].contiguous(memory_format=layout)
    hidden, memory = (state[:, None, None].expand(batch, -1, 1, width) for state in (cell.hidden, cell.memory))
    hidden = hidden.contiguous(memory_format=layout)
    out = []
    # `unbind`, because to index a row would make its gradient a map of zeros (twice as slow)
    for row in x.permute(2, 0, 3, 1).contiguous().unbind(0):
        above = F.conv2d(hidden, kernel, padding=(0, len(cell.weight) // 2))
        hidden, memory = lstm(row.permute(0, 2, 1)[:, :, None] + above, memory)
        out.append(hidden)
    return torch.cat(out, 2)


def _scan_diagonals(cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool) -> Float[Tensor, "b d h w"]:
    """Skewed, so that a diagonal is one step; cells of the skewed map outside the image do not exist here.

    A diagonal holds the sites (r, t - r). Between a zero (the site above row 0) and the initial state (the site left
    of the row that begins), the states of the diagonal before lie so that both taps are slices.
    """
    batch, _, height, width = x.shape
    d = len(cell.hidden)
    weight = cell.weight.flatten(0, 1).to(x.dtype)  # once, not at every step of an autocast pass
    order, sizes = diagonals(height, width, x.device, reverse=reverse)
    zero = x.new_zeros(1, batch, d)
    first_hidden, first_memory = (state.expand(1, batch, d) for state in (cell.hidden, cell.memory))
    hidden, memory = zero[:0], zero[:0]
    out = []
    sites = x.permute(2, 3, 0, 1).flatten(0, 1)  # [h w, b, 4d]: neighbours lie one after the other
    for t, pre in enumerate(torch.split(_reorder(sites, order), sizes)):
        top = 1 if t >= width else 0  # whether the uppermost row has ended
        count = sizes[t]
        before = torch.cat([zero, hidden, first_hidden])
        read = torch.cat([before[top : top + count], before[top + 1 : top + 1 + count]], -1)
        memory = torch.cat([memory, first_memory])[top : top + count]
        gates = torch.addmm(pre.flatten(0, 1), read.view(-1, 2 * d), weight)
        flat, flat_memory = lstm(gates, memory.view(-1, d))
        hidden, memory = flat.view(count, batch, d), flat_memory.view(count, batch, d)
        out.append(hidden)
    return _reorder(torch.cat(out), order.argsort()).view(height, width, batch, d).permute(2, 3, 0, 1)


def diagonals(height: int, width: int, device: torch.device, *, reverse: bool = False) -> tuple[Tensor, list[int]]:
    """The sites (row * width + column) diagonal by diagonal, each from top to bottom, and the length of each."""
    row = torch.arange(height, device=device)[:, None]
    column = torch.arange(width, device=device)
    step = row + (width - 1 - column if reverse else column)
    order = step.flatten().argsort(stable=True)
    sizes = [min(t, height - 1) - max(0, t - width + 1) + 1 for t in range(height + width - 1)]
    return order, sizes


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    """`x[order]` of a permutation."""
    out: Tensor = _Reorder.apply(x, order)  # type: ignore[no-untyped-call]
    return out


class _Reorder(torch.autograd.Function):
    """Its gradient is a permutation too; that of indexing adds into zeros, which is slower."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, order: Tensor) -> Tensor:
        ctx.order = order  # type: ignore[attr-defined]
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        return _reorder(grad, ctx.order.argsort()), None  # type: ignore[attr-defined]
