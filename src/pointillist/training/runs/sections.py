"""Sections of a run file: `[model]` and `[data]`; `[train]` is `TrainConfig`. Needs no torch."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pointillist.data.options import DataOptions
from pointillist.model.settings import ModelSettings


class ModelSection(ModelSettings):
    """Settings of the model: `[model]`, which adds to `ModelSettings`:

    Attributes:
        type: Name of a model from `pointillist models`.
        preset: Size of the network: tiny, small, base, or the preset of a paper (see `pointillist models`).
        init_from: Model whose weights the training starts from (fine-tuning).
        network: Settings of the network; they override the preset.
    """

    type: str = "gated-pixelcnn"
    preset: str | None = None
    init_from: str | None = None
    network: dict[str, Any] = Field(default_factory=dict)


class DataSection(DataOptions):
    """Settings of the images: `[data]`. The source, and how `load_data` reads it (`DataOptions`).

    Attributes:
        source: A folder of images or maps, .npz, .npy, .parquet, hf:USER/NAME, or a built-in name.
    """

    source: str | None = None

    @property
    def options(self) -> DataOptions:
        """The options of `load_data`."""
        return DataOptions(**self.model_dump(exclude={"source"}))
