"""What a new model listens to: what its images are told, or what the model that it starts from listened to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.model.pretrained import PretrainedPixelModel
    from pointillist.training.run_config import ModelSection


def infer_condition_configs(
    section: ModelSection, data: ImageDataset, source: PretrainedPixelModel | None
) -> dict[str, Any]:
    """Keywords of `build` for what a model listens to beside labels; data that lack one need not unteach it.

    Raises:
        ConfigError: if a hint is to be made of the images, and the data bring hints too.
    """
    from pointillist.conditioning import (
        AttributesConfig,
        HintConfig,
        TextConfig,
        VectorConfig,
    )

    columns, before = data.annotations, None if source is None else source.config
    found: dict[str, Any] = {}
    if columns.attributes:
        found["attributes"] = AttributesConfig(values=dict(columns.values), width=section.attribute_width)
    if columns.vectors is not None:
        found["vector"] = VectorConfig(size=columns.vectors.shape[1], width=section.vector_width)
    if section.hint is not None:
        if columns.hints is not None:
            raise ConfigError(
                f"`hint` (={section.hint!r}) is made of the images, and `hint_column` brings one: drop one."
            )
        found["hint"] = HintConfig.derived(section.hint, data.spec).model_copy(update={"width": section.hint_width})
    elif columns.hints is not None:
        channels = columns.hints.shape[1]
        found["hint"] = HintConfig(channels=channels, image=columns.hint_spec, width=section.hint_width)
    text = section.text if section.text != "auto" else "use" if data.texts is not None and before is None else "off"
    if text != "off":
        found["text"] = TextConfig.of(text, section.text_width, section.text_dropout)
    if before is not None:
        for name in ("attributes", "vector", "hint", "text"):
            if name not in found and getattr(before, name) is not None:
                found[name] = getattr(before, name)
    return found
