"""Pointillist: generative models that paint an image one pixel at a time, with exact likelihood.

Names are imported when they are first used: neither `import pointillist` nor `pointillist --help` waits for torch.
"""

from __future__ import annotations

from typing import Any

_HOMES = {
    "analysis": ("Explanation", "explain"),
    "analysis.receptive_field": ("ReceptiveField", "receptive_field"),
    "anomaly": ("AnomalyDetector", "AnomalyRecord"),
    "commands": ("jobs",),
    "completion.api": ("inpaint",),
    "completion.cells": ("read_cells",),
    "completion.result": ("Completions",),
    "completion.seamless": ("sample_seamless",),
    "completion.vary": ("Variations", "vary"),
    "compression": ("Archive", "compress", "decompress"),
    "data": ("DataOptions", "DataSplits", "ImageDataset", "load_data"),
    "errors": (
        "ArchiveError",
        "CausalityError",
        "CheckpointError",
        "ConfigError",
        "DataError",
        "EngineError",
        "JobError",
        "PointillistError",
        "ShapeError",
        "TrainingError",
    ),
    "evaluation.captions": ("Ranking", "rank"),
    "evaluation.likelihood": ("Evaluation", "evaluate"),
    "files.checkpoint.quantization": ("quantize_weights",),
    "hierarchy": ("Hierarchy",),
    "images": ("ImageSpec",),
    "model.folder.generation": ("GenerationConfig",),
    "model.folder.listing": ("list_models",),
    "model.folder.opening": ("load",),
    "model.folder.pretrained": ("build",),
    "model.pixel_model": ("PixelModel",),
    "model.quantize_integer": ("quantize_integer",),
    "rules.config": ("Rules",),
    "sampling.api": ("sample",),
    "sampling.config": ("SamplingConfig",),
    "sampling.inversion": ("interpolate_uniforms", "recover_uniforms", "replace_uniforms"),
    "sampling.samples": ("Samples",),
    "sampling.worlds": ("World",),
    "studio": ("Studio",),
    "studio.export.api": ("export",),
    "system": ("__version__",),
    "training": ("CostEstimate", "TrainConfig", "TrainResult", "estimate_cost", "train", "train_from_config"),
    "zoo": ("BundledModel", "list_pretrained"),
}
"""The module of each name; `tools/make_stub.py` writes them for type checkers into `__init__.pyi`."""
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        from pointillist.files.suggestions import UnknownNameError

        if name.startswith("_"):
            raise AttributeError(f"module 'pointillist' has no attribute {name!r}")
        raise UnknownNameError("pt", name, __all__)
    try:  # as `from home import name`, packages included
        home = __import__(f"pointillist.{_HOME[name]}", fromlist=(name,))
    except ModuleNotFoundError as error:
        from pointillist.errors import missing_training

        missing = missing_training(error, f"`pt.{name}`")
        if missing is None:
            raise
        raise missing from None
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
