"""Mutants of orders: maps turned the wrong way, or not at all, and S-curves that see what they should not."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pointillist.analysis.evaluation import likelihood
from pointillist.engine import interpreter
from pointillist.engine.recording.builder import Builder
from pointillist.images.ordering import PixelOrder
from pointillist.nn import condition, passes
from pointillist.nn.functional import convolution
from pointillist.nn.passes import FullPass

from . import causal, context, orders, samplers, textbook
from .mutants import Property, mutant
from .orders import local_model


def turned(name: str) -> Property:
    return lambda: orders.check_raster_of_the_turned_image(name, 3, 4)


def paper(name: str) -> Property:
    return lambda: textbook.check_textbook(local_model(name), 3, 4)


def engines(name: str) -> Property:
    return lambda: samplers.check_engine_equals_full(local_model(name), 3, 4)


def no_leak(name: str = "s-curve") -> Property:
    return lambda: causal.check_no_leak(local_model(name), 3, 4)


def all_earlier() -> None:
    model = local_model("s-curve", layers=5)
    context.check_context(model, 3, 4, torch.from_numpy(context.complete(model, 3, 4)))


@mutant("a map condition does not turn with the image", turned("raster-tr"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(condition.Condition, "in_raster_frame", lambda self, order: self)


@mutant("a map condition is flipped top to bottom instead of left to right", turned("raster-tr"))
def _(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, order: PixelOrder) -> Any:
        return self if self.map is None else condition.replace(self, map=self.map.flip(2))

    patch.setattr(condition.Condition, "in_raster_frame", wrong)


@mutant("a transposed order is turned back by its mirror image", turned("raster-columns-tr"))
def _(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: PixelOrder, x: Tensor) -> Tensor:
        return (x.transpose(-2, -1) if self.columns else x).flip(-2)

    patch.setattr(PixelOrder, "from_raster", wrong)


@mutant("kernels do not turn with the canvas", paper("s-curve-columns"))
@mutant("kernels do not turn with the canvas (mirrored)", paper("raster-tr"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        FullPass,
        "neighbours",
        lambda self, key, x, weight, bias, dilation=1: convolution.local_convolution(
            x, weight, bias, dilation, s_curve=self.order.s_curve
        ),
    )


@mutant("kernels turn the wrong way round", paper("s-curve-columns-tr"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        FullPass,
        "neighbours",
        lambda self, key, x, weight, bias, dilation=1: convolution.local_convolution(
            x, self.order.from_raster(weight), bias, dilation, s_curve=self.order.s_curve
        ),
    )


@mutant("the tap mask has the wrong parity", no_leak())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = convolution.local_convolution

    def mirrored(x: Tensor, kernel: Tensor, bias: Any, dilation: int, *, s_curve: bool) -> Tensor:
        return (
            kept(x.flip(3), kernel.flip(3), bias, dilation, s_curve=s_curve).flip(3)
            if s_curve
            else kept(x, kernel, bias, dilation, s_curve=s_curve)
        )

    patch.setattr(passes, "local_convolution", mirrored)


def _own_row(reads: Any) -> Any:
    """The own row, of which `reads(column of the kernel, half, odd row)` says what is read."""

    def convolution(x: Tensor, kernel: Tensor, bias: Any, dilation: int, *, s_curve: bool) -> Tensor:
        half, rows = kernel.shape[2] // 2, torch.arange(x.shape[2])
        reach = half * dilation
        pad = torch.nn.functional.pad(x, (reach, reach, reach, 0))
        out = []
        for odd in (False, True):
            mask = torch.ones(half + 1, 2 * half + 1, dtype=x.dtype)
            mask[half] = torch.tensor([float(reads(j, half, odd)) for j in range(2 * half + 1)])
            out.append(torch.conv2d(pad, kernel[:, :, : half + 1] * mask, bias, dilation=dilation))
        return torch.where((rows % 2 == 1)[:, None], out[1], out[0])

    return convolution


@mutant("both neighbours of the own row are read", no_leak())
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "local_convolution", _own_row(lambda j, half, odd: True))


@mutant("odd rows are read as even ones", no_leak("s-curve-columns-bl"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "local_convolution", _own_row(lambda j, half, odd: j <= half))


@mutant("no neighbour of the own row is read, so that nothing leaks and much is missing", all_earlier)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(passes, "local_convolution", _own_row(lambda j, half, odd: j == half))


@mutant("an engine uses the taps of both parities in every row", engines("s-curve"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Builder, "for_row_parity", lambda self, turn: nullcontext())


@mutant("an engine runs every row from left to right", engines("s-curve-br"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = interpreter.Interpreter._advance

    def left_to_right(self: Any) -> None:
        row = self.site[0]
        kept(self)
        if self.site[0] != row and self._stride < 0:
            self._stride, self.site = 1, (self.site[0], 0, 0)

    patch.setattr(interpreter.Interpreter, "_advance", left_to_right)


@mutant("sites are given in the orientation of the turned canvas", lambda: _conditionals("raster-tr"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PixelOrder, "site", lambda self, row, column, height, width: (row, column))


def _conditionals(name: str) -> None:
    samplers.check_loop_gets_conditionals(local_model(name, height=3, width=3), 3, 3)


@mutant("the average over orders is the mean of log-likelihoods", lambda: orders.check_average(("raster", "raster-tr")))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(likelihood, "combine_orders", lambda nats, order: np.mean(nats, 0))


@mutant("the mixture of models adds probabilities", lambda: orders.check_mixture())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = likelihood.mixture_nats
    patch.setattr(likelihood, "mixture_nats", lambda nats: kept(nats) - np.log(len(nats)))


@mutant("the average over orders adds probabilities", lambda: orders.check_average(("raster", "raster-tr")))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = likelihood.combine_orders
    patch.setattr(
        likelihood, "combine_orders", lambda nats, order: kept(nats, order) - (order == "average") * np.log(len(nats))
    )
