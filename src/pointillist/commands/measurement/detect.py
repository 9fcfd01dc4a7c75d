"""`detect`: anomalous images, by a model of normal ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.jobs.work import Arrays, Work, item_options, model_facts
from pointillist.commands.measurement.detector import NormalImages, fit_detector, folder_of, load_detector, open_judged
from pointillist.commands.measurement.settings import DetectSettings
from pointillist.commands.paths import open_scored_model, reject_existing, reject_filled
from pointillist.commands.report import Facts, lines_of, note
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector, AnomalyReport
    from pointillist.commands.jobs.folder import Parts


def detect(settings: DetectSettings) -> Facts:
    """Score images, after fitting a detector if that is asked for.

    Raises:
        PointillistError: naming what is wrong with a setting, the model, the detector or the images.
    """
    from pointillist.anomaly import AnomalyReport
    from pointillist.anomaly.files import fitted_engine, has_detector
    from pointillist.anomaly.report import MAX_SHOWN, write_csv

    if settings.explain and settings.report is None:
        raise ConfigError(f"`--explain` (={settings.explain}) links its pages from `--report`: add a report.")
    html, shown = settings.report, MAX_SHOWN if settings.explain is None else settings.explain
    pages = [] if html is None else [html.parent / f"{html.stem}-{i}.html" for i in range(1, shown + 1)]
    for path, ending in ((settings.report, ".html"), (settings.csv, ".csv"), *((page, ".html") for page in pages)):
        if path is not None:
            reject_existing(path, settings.force, ending)
    if settings.heatmaps is not None:
        reject_filled(settings.heatmaps, settings.force, "maps in it")
    folder = folder_of(settings)
    is_fitted = settings.fit is None and folder is not None and has_detector(folder)
    engine = fitted_engine(folder) if is_fitted and folder is not None else settings.engine
    model = open_scored_model(settings.model, settings.device, engine)
    other = settings.background
    background = None if other is None else open_scored_model(other, settings.device, engine)
    normal: NormalImages | None = None
    if settings.fit is None:
        detector = load_detector(folder, model, background, settings)
    else:
        detector, normal = fit_detector(folder, model, background, settings)
    detector.set_params(batch_size=settings.batch_size)
    if settings.false_alarms is not None:
        detector.set_params(contamination=settings.false_alarms)
    report = AnomalyReport(detector.contamination)
    images = open_judged(model, settings, detector.conditions)
    judged, largest = 0, 0
    for record in detector.records(images):
        report.add(record)
        judged += detector.was_fitted_on(record.levels)
        largest = max(largest, *record.levels.shape[-2:])
        if settings.heatmaps is not None:
            _write_overlay(settings.heatmaps, record)
    if settings.windows and settings.fit is None and largest <= max(model.image.height, model.image.width):
        note("note       `--windows` changed nothing: no image is larger than the model's")
    facts = {**_facts(settings, detector, report), "stored_in": None if folder is None else str(folder)}
    if normal is not None:
        facts["fit"] = {**asdict(normal), "also_scored": judged}
        facts["warnings"] += normal.warnings(judged)
    if settings.report is not None:
        _explain(model, settings.model, report, pages)
        report.save(settings.report, list(lines_of(facts)), [page.name for page in pages])
    if settings.csv is not None:
        write_csv(settings.csv, report.sorted_rows)
    written = (settings.heatmaps, settings.report, settings.csv)
    return {**facts, "out": [str(path) for path in written if path is not None]}


def _explain(model: Any, source: str, report: AnomalyReport, pages: list[Path]) -> None:
    """Write the pages of the most anomalous images, without gradients, which take most of the time.

    Of an image that is larger than the model's, its window around the most anomalous pixel is explained.
    """
    from pointillist.analysis import explain
    from pointillist.files.progress import Bar

    shown = report.most_anomalous[: len(pages)]
    with Bar("explaining", len(shown)) as bar:
        for number, (record, page) in enumerate(zip(shown, pages, strict=False), 1):
            window = record.levels
            for axis, side in ((1, model.image.height), (2, model.image.width)):
                start = min(max(record.location[axis - 1] - side // 2, 0), max(window.shape[axis] - side, 0))
                window = window.take(range(start, min(start + side, window.shape[axis])), axis)
            replace(explain(model, window, max_attributions=0), title=Path(source).name, source=source).save(page)
            bar.show(number)


def _write_overlay(folder: Path, record: Any) -> None:
    from pointillist.images.visualization import save_png

    name = record.name if record.name.lower().endswith(".png") else f"{record.name}.png"
    save_png(record.overlay(), folder / name)


def _facts(settings: DetectSettings, detector: AnomalyDetector, report: AnomalyReport) -> Facts:
    images = [
        {**row, "deviation": row["statistics"][row["top_statistic"]], "verdict": report.verdict(row)}
        for row in report.sorted_rows
    ]
    return {
        "model": settings.model,
        "data": settings.data,
        "false_alarms": detector.contamination,
        "engine": detector.engine_,
        "held_out": len(detector.calibration_scores_),
        "neighbours": 0 if detector.neighbours_ is None else len(detector.neighbours_.reference),
        "model_fit": asdict(detector.model_fit_),
        "count": len(report.rows),
        "anomalous": report.anomalous,
        "expected_if_all_are_normal": report.false_alarms * len(report.rows),
        "images": images,
        "warnings": [line for line in [detector.model_fit_.warning] if line is not None],
    }


def job(settings: DetectSettings) -> Work:
    """Judge images in tasks by a stored detector; one that cannot be read, or has another size, is rejected."""
    from pointillist.anomaly.files import detector_digest
    from pointillist.data import load_data
    from pointillist.model.folder.image_sources import resolve_data_options

    folder = folder_of(settings)
    model = open_scored_model(settings.model, settings.device, settings.engine)
    detector = load_detector(folder, model, None, settings)
    if detector.conditions:
        raise ConfigError("This detector also scores with conditions, which a job does not: use the plain command.")
    detector.set_params(batch_size=settings.batch_size)
    if settings.false_alarms is not None:
        detector.set_params(contamination=settings.false_alarms)
    options = resolve_data_options(model, settings.data, settings.set, labels=False)
    options = item_options(options, settings.data, detector.image_size_)
    images = load_data(settings.data, options, spec=model.image).get(settings.split or "all")

    def compute(start: int, stop: int) -> Arrays:
        rows = [record.to_dict() for record in detector.records(images.subset(range(start, stop)))]
        if images.files is None:
            rows = [{**row, "file": str(start + i)} for i, row in enumerate(rows)]
        return {"row": np.array([json.dumps(row) for row in rows], np.str_)}

    return Work(
        count=len(images),
        batch_size=settings.batch_size,
        compute=compute,
        facts={
            "model": model_facts(model),
            "detector": detector_digest(Path(str(folder))),
            "images": images.fingerprint,
            "false_alarms": detector.contamination,
        },
        files=images.files,
        skipped=images.skipped,
    )


def merge(facts: Mapping[str, Any], parts: Parts, out: Path) -> Facts:
    """Write the verdict on each image of a job, the most anomalous first, as `detect --csv` does."""
    from pointillist.anomaly.report import write_csv

    rows = [json.loads(row) for part in parts for row in part["row"].tolist()]
    write_csv(out, sorted(rows, key=lambda row: row["score"]))
    anomalous, expected = sum(row["pred_label"] for row in rows), facts["false_alarms"] * len(rows)
    return {"images": len(rows), "anomalous": anomalous, "expected_if_all_are_normal": expected}
