"""`detect`: anomalous images, by a model of normal ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.measurement.settings import DetectSettings
from pointillist.commands.models import open_model
from pointillist.commands.paths import reject_existing

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector, AnomalyReport
    from pointillist.model.pixel_model import PixelModel


@dataclass(frozen=True)
class Detection:
    """The verdict on each image, and the detector that gave it.

    Attributes:
        report: the verdicts.
        facts: for JSON.
        lines: for people.
    """

    report: AnomalyReport
    facts: dict[str, Any]
    lines: list[tuple[str, str]]


def detect(settings: DetectSettings) -> Detection:
    """Score images, after fitting a detector if that is asked for.

    Raises:
        PointillistError: naming what is wrong with a setting, the model, the detector or the images.
    """
    from pointillist.anomaly import AnomalyReport
    from pointillist.anomaly.files import own_folder
    from pointillist.anomaly.table import write_csv

    for path in (settings.report, settings.csv):
        if path is not None:
            reject_existing(path, settings.force)
    if settings.heatmaps is not None:
        _reject_filled(settings.heatmaps, settings.force)
    model = open_model(settings.model, settings.device)
    background = None if settings.background is None else open_model(settings.background, settings.device)
    folder = settings.detector or own_folder(settings.model)
    if settings.fit is None:
        detector = _load(folder, model, background, settings)
    else:
        detector = _fit(folder, model, background, settings)
    detector.set_params(batch_size=settings.batch_size)
    if settings.false_alarms is not None:
        detector.set_params(contamination=settings.false_alarms)
    report = AnomalyReport(detector.contamination)
    images = open_images(model, settings.data, settings, split=settings.split, conditions=detector.conditions)
    for record in detector.records(images):
        report.add(record)
        if settings.heatmaps is not None:
            _write_overlay(settings.heatmaps, record)
    source = [("model", settings.model), ("data", settings.data), ("detector", str(folder or "not stored"))]
    source.append(("engine", {"integer": "integer program", "cpu": "floating point"}[detector.engine_]))
    if settings.report is not None:
        report.save(settings.report, source)
    if settings.csv is not None:
        write_csv(settings.csv, report.sorted_rows)
    return Detection(report, _facts(settings, detector, report), [*source, _total(report)])


def open_images(model: PixelModel, data: str, settings: DetectSettings, *, split: str | None, conditions: bool) -> Any:
    """Open images as the model was trained to read them: a folder as a stream, everything else whole."""
    from pointillist.data import load_data
    from pointillist.data.readers.folder_stream import FolderStream
    from pointillist.training.runs.data import resolve_data_options

    options = resolve_data_options(model, data, settings.set, labels=conditions)
    if settings.windows:
        options = options.changed(size=None)
    path = Path(data)
    if (path.is_dir() or FolderStream.reads(path)) and split is None and not conditions:
        return FolderStream(path, options, model.image)
    classes = model.config.classes if options.labels else ()
    return load_data(data, options, spec=model.image, classes=classes).get(split or "all")


def _load(
    folder: Path | None, model: PixelModel, background: PixelModel | None, settings: DetectSettings
) -> AnomalyDetector:
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector
    from pointillist.errors import ConfigError

    if folder is None or not has_detector(folder):
        raise ConfigError(
            f"{folder or settings.model} has no detector: fit one with `--fit` and a folder of normal images"
            f"{', or name its folder with `--detector`' if folder is None else ''}."
        )
    return AnomalyDetector.load(folder, model, background)


def _fit(
    folder: Path | None, model: PixelModel, background: PixelModel | None, settings: DetectSettings
) -> AnomalyDetector:
    """Fit a detector on normal images, and store it where there is a folder for it."""
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector
    from pointillist.errors import ConfigError

    if folder is not None and has_detector(folder) and not settings.force:
        raise ConfigError(
            f"{folder} has a detector already: leave `--fit` out to use it, add `--force` to replace it, or name "
            "another folder with `--detector`."
        )
    fitting: dict[str, Any] = {"conditions": settings.conditions, "batch_size": settings.batch_size}
    fitting["engine"] = settings.engine
    if settings.false_alarms is not None:
        fitting["contamination"] = settings.false_alarms
    detector = AnomalyDetector(model, background=background, **fitting)
    detector.fit(open_images(model, str(settings.fit), settings, split=None, conditions=detector.conditions))
    if folder is not None:
        detector.save(folder)
    return detector


def _reject_filled(folder: Path, force: bool) -> None:
    from pointillist.errors import ConfigError

    if folder.exists() and not force and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is already there: add `--force` to write into it, or give a new folder.")


def _write_overlay(folder: Path, record: Any) -> None:
    from pointillist.visualization import save_png

    name = record.name if record.name.lower().endswith(".png") else f"{record.name}.png"
    save_png(record.overlay(), folder / name)


def _facts(settings: DetectSettings, detector: AnomalyDetector, report: AnomalyReport) -> dict[str, Any]:
    return {
        "model": settings.model,
        "data": settings.data,
        "false_alarms": detector.contamination,
        "engine": detector.engine_,
        "held_out": len(detector.calibration_scores_),
        "count": len(report.rows),
        "odd": report.odd,
        "images": report.sorted_rows,
    }


def _total(report: AnomalyReport) -> tuple[str, str]:
    expected = f"{report.false_alarms * len(report.rows):.1f} expected if all are normal"
    return "odd", f"{report.odd:,} of {len(report.rows):,} images; {expected}"
