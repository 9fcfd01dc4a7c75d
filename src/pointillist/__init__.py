"""Pointillist: generative models that paint an image one pixel at a time, with exact likelihood.

Names are imported when they are first used: neither `import pointillist` nor `pointillist --help` waits for torch.
"""

from __future__ import annotations

from typing import Any

from pointillist.files import homes_of

_HOME = homes_of(
    {
        "pointillist.analysis": "Explanation explain",
        "pointillist.analysis.receptive_field": "ReceptiveField receptive_field",
        "pointillist.anomaly": "AnomalyDetector AnomalyRecord",
        "pointillist.commands": "jobs",
        "pointillist.completion.api": "inpaint",
        "pointillist.completion.cells": "read_cells",
        "pointillist.completion.result": "Completions",
        "pointillist.completion.seamless": "sample_seamless",
        "pointillist.completion.vary": "vary",
        "pointillist.compression": "Archive compress decompress",
        "pointillist.compression.message": "hide reveal",
        "pointillist.data": "DataOptions DataSplits ImageDataset load_data",
        "pointillist.errors": (
            "ArchiveError CausalityError CheckpointError ConfigError DataError EngineError JobError "
            "PointillistError ShapeError TrainingError"
        ),
        "pointillist.analysis.evaluation.captions": "Ranking rank",
        "pointillist.analysis.evaluation.likelihood": "Evaluation evaluate",
        "pointillist.images": "ImageSpec",
        "pointillist.model.folder.building": "build",
        "pointillist.model.folder.generation": "GenerationConfig",
        "pointillist.model.folder.opening": "list_models load",
        "pointillist.model.pixel_model": "PixelModel",
        "pointillist.model.quantize_integer": "quantize_integer",
        "pointillist.sampling.rules.config": "Rules",
        "pointillist.sampling.api": "sample",
        "pointillist.sampling.config": "SamplingConfig",
        "pointillist.sampling.inversion": "interpolate_uniforms recover_uniforms replace_uniforms",
        "pointillist.sampling.samples": "Samples",
        "pointillist.sampling.worlds": "World",
        "pointillist.studio": "Studio",
        "pointillist.studio.export": "export",
        "pointillist.system": "__version__",
        "pointillist.training": "TrainConfig TrainResult train train_from_config",
        "pointillist.zoo": "BundledModel list_pretrained",
    }
)
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        from pointillist.files.suggestions import UnknownNameError

        if name.startswith("_"):
            raise AttributeError(f"module 'pointillist' has no attribute {name!r}")
        raise UnknownNameError("pt", name, __all__)
    try:  # as `from home import name`, packages included
        home = __import__(_HOME[name], fromlist=(name,))
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
