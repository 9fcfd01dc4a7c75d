"""Mutants of the executor in torch, planted in the functions that it runs on any device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pointillist.engine.torch import sampler
from pointillist.engine.torch.buffers import TorchBuffers
from pointillist.engine.torch.carry import RowCarry
from pointillist.engine.torch.rows import ProgramRows
from pointillist.images import ImageSpec

from . import samplers
from .mutants import mutant
from .strategies import make_model, randomise_weights


def _same(name: str, height: int = 4, width: int = 6, order: str = "raster") -> Callable[[], None]:
    """One image from all engines."""
    image = ImageSpec.infer((1, 3, 4), 4)
    return lambda: samplers.check_same_image(
        randomise_weights(make_model(name, image, orders=(order,))), height, width, count=2
    )


@mutant("rows settle as soon as their levels do, though a recurrence has not", _same("diagonal-bilstm", 2, 12))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RowCarry, "changed", lambda self: torch.zeros((), dtype=torch.bool))


@mutant("a row is computed once from its guess", _same("pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    iterate = sampler.RowWorkspace.iterate

    def once(self: Any, row: int) -> None:
        iterate(self, row)
        self.changed.zero_()

    patch.setattr(sampler.RowWorkspace, "iterate", once)


@mutant("a site attends to itself", _same("pixelsnail"))
def _(patch: pytest.MonkeyPatch) -> None:
    begin = TorchBuffers.begin

    def unmask(self: Any, row: int) -> None:
        begin(self, row)
        self.masked_slots(row).scatter_(1, self.slots(row)[:, None], False)

    patch.setattr(TorchBuffers, "begin", unmask)


@mutant("rows above are lost", _same("gated-pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TorchBuffers, "shift", lambda self, row: None)


@mutant("an S-curve is sampled as a raster", _same("locally-masked-pixelcnn", order="s-curve"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProgramRows, "columns", lambda self, row: range(self.buffers.width))
