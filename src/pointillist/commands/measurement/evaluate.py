"""`evaluate`: the likelihood of images under a model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointillist.commands.hierarchy import evaluate_hierarchy, reject_settings
from pointillist.commands.measurement import evaluation_report as report
from pointillist.commands.measurement.settings import EvaluateSettings
from pointillist.commands.models import open_model
from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Report
from pointillist.files.checkpoint.header import is_hierarchy

if TYPE_CHECKING:
    from pointillist.data import DataSplits, ImageDataset
    from pointillist.evaluation.likelihood import Evaluation
    from pointillist.model.pixel_model import PixelModel

_NOT_OF_HIERARCHIES = (
    *("labels", "text", "order", "guidance", "condition_metrics", "memorization", "quantize", "engine", "code_length"),
    "precision",
)


@dataclass(frozen=True)
class _Images:
    """The images of a split, with the other splits, and how they were read."""

    name: str
    images: ImageDataset
    splits: DataSplits
    binarise: str


def evaluate(settings: EvaluateSettings) -> Report:
    """Evaluate a model on images.

    Raises:
        PointillistError: naming what is wrong with a setting, the model or the images.
    """
    from pointillist.distributions.transform import check_guidance
    from pointillist.errors import ConfigError

    if is_hierarchy(settings.model):
        reject_settings(settings, _NOT_OF_HIERARCHIES)
        return evaluate_hierarchy(settings)
    import torch

    if settings.per_image is not None:
        reject_existing(settings.per_image, settings.force, ".csv")
    if settings.precision not in ("fp32", "bf16"):
        raise ConfigError(f"`--precision` (={settings.precision!r}) must be fp32 or bf16.")
    model = open_model(settings.model, settings.device, settings.quantize).to(memory_format=torch.channels_last)
    check_guidance(settings.guidance)  # before images are read
    model.scoring_engine(settings.engine)
    source = _read(model, settings)
    size = (source.images.spec.height, source.images.spec.width)
    others = [open_model(name, settings.device, settings.quantize) for name in settings.mixture]
    mixture_engine = settings.engine  # each model has its own default
    settings = settings.changed(engine=model.scoring_engine(settings.engine, size))
    started = time.perf_counter()
    if others:
        mixture = settings.changed(engine=mixture_engine)
        result = _likelihood([model, *others], source.images, mixture)
    else:
        result = _likelihood([model], source.images, settings)
    seconds = time.perf_counter() - started
    facts = report.describe(model, source.images, source.name, result, source.binarise)
    facts |= _metrics(model, source, settings)
    lines = report.report_lines(settings, source.images, result, facts, seconds)
    shown = {"model": settings.model, "data": settings.data, **facts, "seconds": round(seconds, 3)}
    return Report(shown, lines)


def _read(model: PixelModel, settings: EvaluateSettings) -> _Images:
    from pointillist.data import load_data
    from pointillist.training.runs.data import limit_images, resolve_data_options, select_split

    options = resolve_data_options(model, settings.data, settings.set, labels=settings.labels)
    classes = model.config.classes if options.labels else ()
    splits = load_data(settings.data, options, spec=model.image, classes=classes, tiles=model.tileset)
    name, images = select_split(splits, settings.split)
    return _Images(name, limit_images(images, settings.max_images), splits, options.binarise)


def _likelihood(models: list[PixelModel], images: ImageDataset, settings: EvaluateSettings) -> Evaluation:
    """Evaluate the images; with a CSV, an interrupted command continues, but not that of a mixture."""
    from pointillist.evaluation.likelihood import evaluate as evaluate_likelihood

    path = settings.per_image
    names = ("order", "guidance", "batch_size", "engine", "text")
    keywords: dict[str, Any] = {name: getattr(settings, name) for name in names}
    model = models[0] if len(models) == 1 else models
    journaled = path if len(models) == 1 else None
    with report.journal(journaled, models[0], images, keywords, restart=settings.force) as journal:
        result = evaluate_likelihood(model, images, journal=journal, **keywords)
        if path is not None:
            result.write_csv(path, images.files)
    return result


def _metrics(model: PixelModel, source: _Images, settings: EvaluateSettings) -> dict[str, Any]:
    """Compute the optional metrics."""
    import torch

    facts: dict[str, Any] = {}
    if settings.condition_metrics:
        half = settings.precision == "bf16"  # a speed that only floats have
        engine = "cpu" if half else settings.engine
        with torch.autocast(model.device.type, torch.bfloat16, enabled=half):
            facts |= report.condition_metrics(model, source.images, settings.changed(engine=engine))
        facts["metrics_precision"] = settings.precision if engine == "cpu" else "integer"
    if settings.code_length:
        order = None if settings.order in ("average", "each") else settings.order
        facts["code_length"] = report.code_length(model, source.images, order)
    if settings.memorization:
        facts["memorization"] = report.memorization(
            model, source.splits, source.images, source.name, settings.memorization
        )
    return facts
