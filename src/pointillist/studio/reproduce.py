"""Recipes: everything that a painting depends on, and painting it again to see whether the same comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from pointillist._version import __version__
from pointillist.errors import DataError, sentence
from pointillist.machine import processor
from pointillist.pixel_model import PixelModel
from pointillist.studio import messages as m
from pointillist.studio.painting import paint
from pointillist.studio.planning import Plan, plan

MAX_BYTES = 64 * 2**20


def this_machine() -> m.Machine:
    """What the bits of an image may depend on, beside the recipe."""
    return m.Machine(
        processor=processor()[:500], pointillist=__version__, torch=str(torch.__version__), numpy=np.__version__
    )


def recipe_of(name: str, sha256: str, painting: Plan, images: list[m.Painted]) -> m.Recipe:
    """How images that were painted can be painted again."""
    return m.Recipe(
        model=m.PaintingModel(name=name[:500], sha256=sha256),
        machine=this_machine(),
        request=painting.request,
        sha256=[image.sha256 for image in images],
    )


def read_recipe(path: str | Path) -> m.Recipe:
    """A recipe from a file.

    Raises:
        DataError: if it is not one.
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,} of a recipe.")
    try:
        return m.Recipe.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path} is not a recipe: {sentence(error, 'a recipe')}") from error


def repaint(
    model: PixelModel,
    sha256: str,
    recipe: m.Recipe,
    limits: m.Limits,
    check: Callable[[], None] = lambda: None,
    threads: int | None = None,
) -> m.Repainted:
    """Paint a recipe again, and compare.

    Args:
        sha256: of the model.
        check: called after every row; what it raises ends the work.

    Raises:
        Refused, ConfigError, ShapeError, DataError, EngineError: as `plan` and `paint`.
    """
    again = planned(model, recipe, limits)
    return compared(sha256, recipe, paint(again, lambda event: None, check, threads))


def planned(model: PixelModel, recipe: m.Recipe, limits: m.Limits) -> Plan:
    """The painting of a recipe, checked.

    Raises:
        DataError: if the recipe does not hold together; others as `plan`.
    """
    if len(recipe.sha256) != len(recipe.request.canvases):
        raise DataError(
            f"The recipe has {len(recipe.sha256)} hashes for {len(recipe.request.canvases)} canvases: keep one of each."
        )
    if any(canvas.seed is None for canvas in recipe.request.canvases):
        raise DataError("The recipe has a canvas without a seed, so that nothing says what it looked like.")
    return plan(model, recipe.request, limits)


def compared(sha256: str, recipe: m.Recipe, images: list[m.Painted]) -> m.Repainted:
    """What came out, beside what the recipe says."""
    identical = [image.sha256 == wanted for image, wanted in zip(images, recipe.sha256, strict=True)]
    same_model, same_machine = sha256 == recipe.model.sha256, this_machine() == recipe.machine
    return m.Repainted(
        identical=identical,
        same_model=same_model,
        same_machine=same_machine,
        message=_verdict(identical, same_model, same_machine),
        images=images,
    )


def _verdict(identical: list[bool], same_model: bool, same_machine: bool) -> str:
    count, equal = len(identical), sum(identical)
    if equal == count:
        return "Identical to the bit." if count == 1 else f"All {count} images are identical to the bit."
    which = "The image differs" if count == 1 else f"{count - equal} of {count} images differ"
    if not same_model:
        return f"{which}: this is another model than that of the recipe."
    if not same_machine:
        return (
            f"{which}: it was painted on another processor or with other versions, whose arithmetic rounds otherwise."
        )
    return f"{which}, although model, processor and versions are those of the recipe: the recipe was changed by hand."
