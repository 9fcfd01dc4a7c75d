"""A fault: what published code does wrong, how it is planted in ours, and the law that must then fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel

from .strategies import dirty, make_model

Plant = Callable[[pytest.MonkeyPatch], None]
Law = Callable[[], None]


class Fault(NamedTuple):
    """A fault, how it is planted, and the law that must then fail."""

    name: str
    plant: Plant
    law: Law


FAULTS: list[Fault] = []


def fault(name: str, law: Law) -> Callable[[Plant], Plant]:
    """Register a fault."""

    def register(plant: Plant) -> Plant:
        FAULTS.append(Fault(name, plant, law))
        return plant

    return register


def tiny(name: str, channels: int = 3, *, labels: bool = False, **settings: Any) -> PixelModel:
    """A dirty model of 3x4 images with 4 levels."""
    return dirty(make_model(name, ImageSpec.infer((channels, 3, 4), 4), settings, labels=labels))
