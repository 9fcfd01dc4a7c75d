"""Mutants of recurrent layers, as published PixelRNNs have them.

Numbers P1, P2, ... are those of the pitfalls that this project collected from published code.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.images import ImageSpec
from pointillist.networks import pixel_rnn
from pointillist.nn import causal, channel_groups, local, passes
from pointillist.nn.functional import recurrence
from pointillist.nn.functional.recurrence import LSTMCellParams, scan

from . import context, textbook
from . import recurrent as properties
from .mutants import Property, mutant, tiny
from .mutants_network import no_leak
from .recurrent import site_by_site
from .strategies import make_model


def one_layer(name: str, channels: int = 1) -> Property:
    return lambda: context.check_context(tiny(name, channels, layers=1), 3, 4)


def wide_layer(name: str) -> Property:
    """On an image so wide that the first kernel does not reach what the recurrence loses."""
    image = ImageSpec.infer((1, 6, 7), 4)
    return lambda: context.check_context(make_model(name, image, {"layers": 1}), 6, 7)


def paper(name: str) -> Property:
    return lambda: textbook.check_textbook(tiny(name, layers=1), 3, 4)


def other_taps(kind: str, taps: tuple[tuple[int, int], ...], reverse: bool, outside: float = 0.0) -> Any:
    """`scan`, where cells of one kind and direction read these sites instead of their own."""

    def wrong(cell: LSTMCellParams, x: Tensor, *, reverse: bool = False, _reverse: bool = reverse) -> Tensor:
        if cell.along != kind or reverse != _reverse:
            return scan(cell, x, reverse=reverse)
        matrices = dict(zip(taps, cell.weight, strict=True))
        return site_by_site(x, matrices, cell.initial_hidden, cell.initial_cell, cell.carry(reverse=reverse), outside)

    return wrong


# ---- Diagonal BiLSTM ----


@mutant("P1: padding after, so that the column convolution reads the row below", no_leak("diagonal-bilstm", 1))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "scan", other_taps("diagonals", ((1, -2), (0, -1)), reverse=False))


@mutant("P1: a sigmoid on all four gates", paper("diagonal-bilstm"))
@mutant("P1: a sigmoid on all four gates (row)", paper("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = recurrence.lstm
    # 2 sigmoid(2 x) - 1 = tanh(x): what is left of it is a sigmoid
    patch.setattr(recurrence, "lstm", lambda pre, memory: kept(_sigmoid_last(pre, memory.shape[1]), memory))


def _sigmoid_last(pre: Tensor, d: int) -> Tensor:
    return torch.cat([pre[:, : 3 * d], torch.atanh(torch.sigmoid(pre[:, 3 * d :]) * (1 - 1e-9))], 1)


@mutant("P2: the last row of the right-to-left map is zeroed, the map not moved down", no_leak("diagonal-bilstm", 1))
def _(patch: pytest.MonkeyPatch) -> None:
    def zeroed(self: Any, key: str, fn: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(F.pad(out[:, :, :-1], (0, 0, 0, 1)) for out in fn(*inputs))

    patch.setattr(passes.FullPass, "shift_down", zeroed)


@mutant("P2: the skewed map is flipped, so that its diagonals leave a wedge", wide_layer("diagonal-bilstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "scan", other_taps("diagonals", ((-1, 2), (0, 1)), reverse=True))


@mutant("P2: the right-to-left map is not flipped back (context)", wide_layer("diagonal-bilstm"))
@mutant("P2: the right-to-left map is not flipped back (mirror)", properties.check_mirror)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "scan", lambda cell, x, *, reverse: scan(cell, x.flip(3) if reverse else x))


@mutant("cells outside the image get a state from a bias", paper("diagonal-bilstm"))
@mutant("cells outside the image get a state from a bias (border)", properties.check_outside_is_zero)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "scan", other_taps("diagonals", ((-1, 0), (0, -1)), reverse=False, outside=0.3))


@mutant("the last pixel of the row above is unseen", one_layer("diagonal-bilstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.CausalConv2d.forward

    def blind(self: Any, x: Tensor, ctx: Any) -> Tensor:
        out = kept(self, x, ctx)
        return out * 0 if self.reach == {"up": 0, "left": 0, "right": 0, "down": 0} else out

    patch.setattr(causal.CausalConv2d, "forward", blind)


# ---- Row LSTM ----


@mutant("P6: the state-to-state convolution is padded on the left only", one_layer("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "scan", other_taps("rows", ((-1, -2), (-1, -1), (-1, 0)), reverse=False))


@mutant("P6: padded on the left and masked: the site's own column is never read", one_layer("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.HorizontalConv2d.forward

    def shifted(self: Any, x: Tensor, ctx: Any) -> Tensor:
        return kept(self, F.pad(x, (1, -1)), ctx)

    patch.setattr(causal.HorizontalConv2d, "forward", shifted)


# ---- both ----


def _groups_over_all_gates(config: Any, ports: Any) -> Tensor:
    return channel_groups(4 * config.channels, ports.groups)


@mutant("P3: sub-pixels are grouped over all four gates, not in each", no_leak("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pixel_rnn, "gate_groups", _groups_over_all_gates)


@mutant("P3: the gates are interleaved, so their groups break", no_leak("row-lstm"))
@mutant("P3: the gates are interleaved, so their groups break (diagonal)", no_leak("diagonal-bilstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = recurrence.lstm
    patch.setattr(
        recurrence, "lstm", lambda pre, memory: kept(torch.cat([pre[:, gate::4] for gate in range(4)], 1), memory)
    )


@mutant("P3: input-to-state forgets the groups (diagonal)", no_leak("diagonal-bilstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(causal.PointwiseConv2d, "forward", lambda self, x: F.conv2d(x, self.weight, self.bias))


@mutant("P3: input-to-state forgets the groups", no_leak("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.HorizontalConv2d.masked_weight
    patch.setattr(
        causal.CausalConv2d,
        "masked_weight",
        lambda self: self.weight if isinstance(self, causal.HorizontalConv2d) else kept(self),
    )


@mutant("initial states are not used", paper("diagonal-bilstm"))
@mutant("initial states are not used (row)", paper("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(local, "LSTMCellParams", lambda along, weight, h, c: LSTMCellParams(along, weight, h * 0, c * 0))


@mutant("P14: height and width are swapped", no_leak("row-lstm", 1))
@mutant("P14: height and width are swapped (diagonal)", no_leak("diagonal-bilstm", 1))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        passes, "scan", lambda cell, x, *, reverse: scan(cell, x.transpose(2, 3), reverse=reverse).transpose(2, 3)
    )


def _sizes() -> None:
    textbook.check_parameter_count(tiny("row-lstm"))


@mutant("P15: the row above is read through one tap only (parameters)", _sizes)
@mutant("P15: the row above is read through one tap only (context)", one_layer("row-lstm"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = local.RecurrentLayer.__init__

    def narrow(self: Any, channels: int, along: Any, **how: Any) -> None:
        kept(self, channels, along, **({**how, "kernel_size": 1} if "kernel_size" in how else how))

    patch.setattr(local.RecurrentLayer, "__init__", narrow)
