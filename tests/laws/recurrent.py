"""Properties of recurrent layers alone: zeros beyond the border; right to left is the mirror of left to right."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.passes import FullPass
from tests.tolerances import DOUBLE, FORMULA

Along = Literal["rows", "diagonals"]
Site = tuple[int, int]


def site_by_site(
    gates: Tensor, matrices: dict[Site, Tensor], hidden: Tensor, memory: Tensor, carry: Site, outside: float = 0.0
) -> Tensor:
    """Run an LSTM from site to site: `matrices` by the neighbour that they read, the memory of the neighbour `carry`.

    Outside the image lies `outside`, and in the direction of `carry` the initial state.
    """
    batch, _, height, width = gates.shape
    states: dict[Site, tuple[Tensor, Tensor]] = {}

    def state(row: int, column: int) -> tuple[Tensor, Tensor]:
        if (row, column) in states:
            return states[row, column]
        initial = row < 0 <= column < width if carry[0] else row in range(height) and not 0 <= column < width
        if initial and (carry[0] or (column < 0) == (carry[1] < 0)):
            return hidden.expand(batch, -1), memory.expand(batch, -1)
        return torch.full_like(gates[:, : len(hidden), 0, 0], outside), torch.full_like(hidden, outside)

    side = 1 if carry[1] > 0 else -1
    sites = [(row, column) for row in range(height) for column in range(width)]
    for row, column in sorted(sites, key=lambda s: (s[0] - side * s[1] if carry[0] == 0 else s[0], s)):
        pre = gates[:, :, row, column]
        for (dy, dx), matrix in matrices.items():
            pre = pre + state(row + dy, column + dx)[0] @ matrix
        o, f, i, g = pre.split(len(hidden), 1)
        kept = state(row + carry[0], column + carry[1])[1] / (1 + torch.exp(-f)) + torch.tanh(g) / (1 + torch.exp(-i))
        states[row, column] = torch.tanh(kept) / (1 + torch.exp(-o)), kept
    return torch.stack([states[site][0] for site in sites], 2).unflatten(2, (height, width))


def random_cell(along: Along, channels: int = 3, num_taps: int = 3) -> LSTMCellParams:
    """Random numbers in float64, the initial state too."""
    num_taps = num_taps if along == "rows" else 2
    weight = torch.randn(num_taps, channels, 4 * channels, dtype=torch.float64, requires_grad=True)
    hidden, memory = torch.randn(2, channels, dtype=torch.float64)
    return LSTMCellParams(along, weight, hidden.requires_grad_(), memory.requires_grad_())


def recur(cell: LSTMCellParams, gates: Tensor, *, reverse: bool = False) -> Tensor:
    """The layer in a full pass."""
    return FullPass().recur("key", cell, gates, reverse=reverse)


def check_site_by_site(cell: LSTMCellParams, gates: Tensor, *, reverse: bool) -> None:
    """All sites at once equal one site after the other, in values and in every gradient."""
    gates = gates.requires_grad_()
    matrices = dict(zip(cell.taps(reverse=reverse), cell.weight, strict=True))
    slow = site_by_site(gates, matrices, cell.initial_hidden, cell.initial_cell, cell.carry(reverse=reverse))
    fast = recur(cell, gates, reverse=reverse)
    assert fast.shape == slow.shape
    torch.testing.assert_close(fast, slow, rtol=FORMULA, atol=FORMULA)
    towards = torch.randn_like(slow)
    of = [gates, cell.weight, cell.initial_hidden, cell.initial_cell]
    for a, b in zip(*(torch.autograd.grad((y * towards).sum(), of) for y in (fast, slow)), strict=True):
        torch.testing.assert_close(a, b, rtol=DOUBLE, atol=DOUBLE)


def check_mirror() -> None:
    """Right to left is left to right on the mirrored image, mirrored back."""
    for along in ("rows", "diagonals"):
        cell = random_cell(along)
        for height, width in ((3, 4), (4, 2), (1, 5), (5, 1)):
            gates = torch.randn(2, 12, height, width, dtype=torch.float64)
            mirrored = recur(cell, gates.flip(3)).flip(3)
            torch.testing.assert_close(recur(cell, gates, reverse=True), mirrored, rtol=0, atol=FORMULA)


def check_outside_is_zero() -> None:
    """Nothing beyond the border has a state: a frame of sites whose gates can hold none changes nothing.

    A site with output and write gates closed, and forget gates too, has hidden and memory zero: the same as no site.
    """
    cell = random_cell("diagonals")
    cell = LSTMCellParams("diagonals", cell.weight, cell.initial_hidden * 0, cell.initial_cell * 0)
    gates = torch.randn(2, 12, 3, 4, dtype=torch.float64)
    framed = torch.full((2, 12, 5, 5), -1e3, dtype=torch.float64)
    framed[:, :, 1:4, 1:] = gates
    torch.testing.assert_close(recur(cell, framed)[:, :, 1:4, 1:], recur(cell, gates), rtol=0, atol=FORMULA)
