"""What a new model listens to: what its images are told, or what the model that it starts from listened to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.factory import PretrainedPixelModel
    from pointillist.training.recipe import ModelSection


def heard(section: ModelSection, data: ImageDataset, source: PretrainedPixelModel | None) -> dict[str, Any]:
    """Keywords of `build` for what a model listens to beside labels; data that lack one need not unteach it.

    Raises:
        ConfigError: if a hint is to be made of the images, and the data bring hints too; if captions are missing.
    """
    from pointillist.conditioning import (
        AttributesConfig,
        ClusterConfig,
        HintConfig,
        RecallConfig,
        TextConfig,
        VectorConfig,
        worth_remembering,
    )

    columns, before = data.columns, None if source is None else source.config
    found: dict[str, Any] = {}
    if columns.attributes:
        found["attributes"] = AttributesConfig(values=dict(columns.values), width=section.attribute_width)
    if columns.vectors is not None:
        found["vector"] = VectorConfig(size=columns.vectors.shape[1], width=section.vector_width)
    if section.hint is not None:
        if columns.hints is not None:
            raise ConfigError(
                f"`hint` (={section.hint!r}) is made of the images, and `hint_from` brings one: drop one."
            )
        found["hint"] = HintConfig.derived(section.hint, data.spec).model_copy(update={"width": section.hint_width})
    elif columns.hints is not None:
        channels = columns.hints.shape[1]
        found["hint"] = HintConfig(channels=channels, image=columns.hint_spec, width=section.hint_width)
    text = section.text if section.text != "auto" else "use" if data.texts is not None and before is None else "off"
    if text != "off":
        found["text"] = TextConfig.of(text, section.text_width, section.text_dropout)
    if section.recall:
        if data.texts is None:
            raise ConfigError(f"`recall` (={section.recall}) is by captions, and {data.name} has none: leave it out.")
        captions = tuple(data.texts[place] for place in worth_remembering(data.texts))
        found["recall"] = RecallConfig(captions=captions, count=section.recall, width=section.hint_width)
    if section.clusters:
        if data.texts is None:
            raise ConfigError(
                f"`clusters` (={section.clusters}) need captions, and {data.name} has none: leave it out."
            )
        found["clusters"] = ClusterConfig(count=section.clusters, width=section.label_width)
    if before is not None:
        for name in ("attributes", "vector", "hint", "text", "recall", "clusters"):
            if name not in found and getattr(before, name) is not None:
                found[name] = getattr(before, name)
    return found


def remember(
    model: PretrainedPixelModel, section: ModelSection, data: ImageDataset, source: PretrainedPixelModel | None
) -> None:
    """Give a new model the images that its prompts bring to mind: training images, or those that its source recalls."""
    from pointillist.conditioning import RecallListener, worth_remembering

    listener, before = model.listeners.get("recall"), None if source is None else source.listeners.get("recall")
    if not isinstance(listener, RecallListener):
        return
    if section.recall:
        listener.remember(data.batch(worth_remembering(data.texts or ())).levels)
    elif isinstance(before, RecallListener):
        listener.remember(before.levels)
