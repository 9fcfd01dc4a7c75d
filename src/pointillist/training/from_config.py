"""Conditions of a new model: what its images are annotated with, or what the model that it starts from has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointillist.conditioning import ConditionConfig
    from pointillist.data import ImageDataset
    from pointillist.model.pixel_model import PixelModel


def infer_conditions(
    settings: Mapping[str, ConditionConfig], data: ImageDataset, source: PixelModel | None
) -> dict[str, ConditionConfig]:
    """Complete the settings of each kind of condition from the training images.

    Data without an annotation keep the condition of the source: they need not unteach it.

    Args:
        settings: by kind, as in `[model.conditions]`; a kind that is left out takes its defaults.
        data: the training images.
        source: the model that a fine-tuned one starts from.

    Raises:
        ConfigError: if settings do not fit the data.
    """
    from pointillist.conditioning import condition_kinds

    known = {} if source is None else source.config.conditions
    found: dict[str, ConditionConfig | None] = {}
    for kind, config in condition_kinds().items():
        if kind in settings or kind in known or source is None or config.added_by_finetuning:
            found[kind] = config.infer(settings.get(kind, known.get(kind)), data)
    return {kind: complete for kind, complete in found.items() if complete is not None}
