"""Pointillist: generative models that paint an image one pixel at a time, with exact likelihood.

Names are imported when they are first used: neither `import pointillist` nor `pointillist --help` waits for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pointillist._version import __version__

if TYPE_CHECKING:
    from pointillist.data import DataOptions, DataSplits, ImageDataset, load_data
    from pointillist.errors import (
        CausalityError,
        CheckpointError,
        ConfigError,
        DataError,
        EngineError,
        PointillistError,
        ShapeError,
        TrainingError,
    )
    from pointillist.explaining import Explanation, explain
    from pointillist.factory import PretrainedPixelModel, build, load
    from pointillist.images import ImageSpec
    from pointillist.pixel_model import PixelModel
    from pointillist.receptive import ReceptiveField, receptive_field
    from pointillist.rounding import round_weights
    from pointillist.sampling import Samples, sample
    from pointillist.scoring import Evaluation, entropy_map, evaluate
    from pointillist.studio import Studio
    from pointillist.training import Forecast, TrainConfig, TrainResult, forecast, train
    from pointillist.zoo import ShippedModel, shipped

_HOMES = {
    "pointillist.catalogue": ("models",),
    "pointillist.explaining": ("Explanation", "explain"),
    "pointillist.factory": ("PretrainedPixelModel", "build", "load"),
    "pointillist.data": ("DataOptions", "DataSplits", "ImageDataset", "load_data"),
    "pointillist.errors": (
        "CausalityError",
        "CheckpointError",
        "ConfigError",
        "DataError",
        "EngineError",
        "PointillistError",
        "ShapeError",
        "TrainingError",
    ),
    "pointillist.images": ("ImageSpec",),
    "pointillist.pixel_model": ("PixelModel",),
    "pointillist.receptive": ("ReceptiveField", "receptive_field"),
    "pointillist.rounding": ("round_weights",),
    "pointillist.sampling": ("Samples", "sample"),
    "pointillist.scoring": ("Evaluation", "entropy_map", "evaluate"),
    "pointillist.studio": ("Studio",),
    "pointillist.training": ("Forecast", "TrainConfig", "TrainResult", "forecast", "train"),
    "pointillist.zoo": ("ShippedModel", "shipped"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CausalityError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DataOptions",
    "DataSplits",
    "EngineError",
    "Evaluation",
    "Explanation",
    "Forecast",
    "ImageDataset",
    "ImageSpec",
    "PixelModel",
    "PointillistError",
    "PretrainedPixelModel",
    "ReceptiveField",
    "Samples",
    "ShapeError",
    "ShippedModel",
    "Studio",
    "TrainConfig",
    "TrainResult",
    "TrainingError",
    "__version__",
    "build",
    "entropy_map",
    "evaluate",
    "explain",
    "forecast",
    "load",
    "load_data",
    "models",
    "receptive_field",
    "round_weights",
    "sample",
    "shipped",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pointillist' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
