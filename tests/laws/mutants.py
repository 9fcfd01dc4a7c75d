"""Mutants: a known error of published code, planted in ours, and the property test that must then fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel

from .strategies import make_model, randomise_weights

Plant = Callable[[pytest.MonkeyPatch], None]
Property = Callable[[], None]


class Mutant(NamedTuple):
    """An error, how it is planted, and the property test that must then fail."""

    name: str
    plant: Plant
    check: Property


MUTANTS: list[Mutant] = []


def mutant(name: str, check: Property) -> Callable[[Plant], Plant]:
    """Register a mutant."""

    def register(plant: Plant) -> Plant:
        MUTANTS.append(Mutant(name, plant, check))
        return plant

    return register


def tiny(name: str, channels: int = 3, *, labels: bool = False, **settings: Any) -> PixelModel:
    """Build a model of 3x4 images with 4 levels, with random weights."""
    return randomise_weights(make_model(name, ImageSpec.infer((channels, 3, 4), 4), settings, labels=labels))
