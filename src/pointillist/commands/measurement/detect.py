"""`detect`: anomalous images, by a model of normal ones and a detector that is loaded or fitted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pointillist.commands.measurement.settings import DetectSettings
from pointillist.commands.paths import open_scored_model, reject_existing, reject_filled
from pointillist.commands.report import Arrays, Facts, Work, item_options, model_facts, note
from pointillist.errors import ConfigError, counted

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector, AnomalyRecord
    from pointillist.data import ImageDataset
    from pointillist.data.readers.image_folder import FolderStream
    from pointillist.model.protocols import LikelihoodModel

_SHOWN = 12  # most anomalous images, on a sheet
_COLUMNS = ("file", "p_value", "score", "pred_label", "top_statistic", "row", "column", "masked_pixels")


def detect(settings: DetectSettings) -> Facts:
    """Score images, after fitting a detector if that is asked for.

    Raises:
        PointillistError: naming what is wrong with a setting, the model, the detector or the images.
    """
    for path, ending in ((settings.sheet, ".png"), (settings.csv, ".csv")):
        if path is not None:
            reject_existing(path, settings.force, ending)
    if settings.heatmaps is not None:
        reject_filled(settings.heatmaps, settings.force, "maps in it")
    folder = folder_of(settings)
    model, detector, fit = _open_detector(settings, folder)
    images, _ = _open(model, settings.data, settings, settings.split)
    records, also_scored, largest = _Records(settings), 0, 0
    for record in detector.records(images):
        records.add(record)
        also_scored += detector.was_fitted_on(record.levels)
        largest = max(largest, *record.levels.shape[-2:])
    if settings.windows and fit is None and largest <= max(model.image.height, model.image.width):
        note("note       `--windows` changed nothing: no image is larger than the model's")
    facts = _facts(settings, detector, records.rows)
    if fit is not None:
        facts["fit"] = {**fit, "also_scored": also_scored}
        facts["warnings"] += _fit_warnings(facts["fit"])
    return {**facts, "stored_in": None if folder is None else str(folder), "out": records.write()}


def _open_detector(
    settings: DetectSettings, folder: Path | None
) -> tuple[LikelihoodModel, AnomalyDetector, Facts | None]:
    """Open the models, and load the detector or fit it; return the model, the detector and facts of the fit."""
    from pointillist.anomaly.files import fitted_engine, has_detector

    stored = folder if settings.fit is None else None
    engine = settings.engine if stored is None or not has_detector(stored) else fitted_engine(stored)
    model = open_scored_model(settings.model, settings.device, engine)
    other = settings.background
    background = None if other is None else open_scored_model(other, settings.device, engine)
    if settings.fit is None:
        return model, load_detector(folder, model, background, settings), None
    return model, *fit_detector(folder, model, background, settings)


class _Records:
    """Rows of all images, whose heat maps are written at once, and the most anomalous images with their pixels."""

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings
        self.rows: list[Facts] = []
        self.worst: list[AnomalyRecord] = []

    def add(self, record: AnomalyRecord) -> None:
        from pointillist.images.visualization import save_png

        self.rows.append(record.to_dict())
        self.worst = sorted([*self.worst, record], key=lambda each: each.score)[:_SHOWN]
        if self.settings.heatmaps is not None:
            name = record.name if record.name.lower().endswith(".png") else f"{record.name}.png"
            save_png(record.overlay(), self.settings.heatmaps / name)

    def write(self) -> list[str]:
        """Write the sheet and the table, and return the paths of all that was written."""
        from pointillist.images.visualization import image_grid, save_png

        settings = self.settings
        if settings.sheet is not None:
            captions = [text for each in self.worst for text in (each.name, f"p {each.p_value:.4f}", "mask")]
            panels = np.concatenate([each.panels for each in self.worst])
            save_png(image_grid(panels, captions=captions, columns=6), settings.sheet)
        if settings.csv is not None:
            write_csv(settings.csv, self.rows)
        return [str(path) for path in (settings.heatmaps, settings.sheet, settings.csv) if path is not None]


def write_csv(path: Path, rows: Sequence[Facts]) -> None:
    """Write a line for each image, the most anomalous first, with its statistics in standard deviations of normal ones.

    Args:
        rows: as `AnomalyRecord.to_dict` gives them.
    """
    from pointillist.files.writing import atomic_path, open_table

    with atomic_path(path) as temporary, open_table(temporary) as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *rows[0]["statistics"]])
        for row in sorted(rows, key=lambda each: each["score"]):
            at = dict(zip(("row", "column"), row["location"], strict=True))
            cells = {**row, "pred_label": int(row["pred_label"]), **at}
            writer.writerow([*(cells[name] for name in _COLUMNS), *(f"{x:.6g}" for x in row["statistics"].values())])


def _facts(settings: DetectSettings, detector: AnomalyDetector, rows: Sequence[Facts]) -> Facts:
    return {
        "model": settings.model,
        "data": settings.data,
        "false_alarms": detector.contamination,
        "engine": detector.engine_,
        "held_out": len(detector.calibration_scores_),
        "neighbours": 0 if detector.neighbours_ is None else len(detector.neighbours_.reference),
        "model_fit": detector.model_fit_.to_dict(),
        "count": len(rows),
        **_alarms(rows, detector.contamination),
        "images": [
            {
                **row,
                "deviation": row["statistics"][row["top_statistic"]],
                "verdict": "anomalous" if row["pred_label"] else "",
            }
            for row in sorted(rows, key=lambda each: each["score"])
        ],
        "warnings": [line for line in [detector.model_fit_.warning] if line is not None],
    }


def _fit_warnings(fit: Facts) -> Iterator[str]:
    if fit["in_training"]:
        yield (
            f"the detector was fitted on {counted(fit['in_training'], 'training image')} of this model, so unseen "
            "normal images get p-values that are too small: give others with --fit or --fit-split"
        )
    if fit["also_scored"]:
        yield (
            f"the detector was fitted on {fit['also_scored']:,} of the images that are scored here, which makes "
            "p-values too large: give other normal images with --fit or --fit-split"
        )


def job(settings: DetectSettings) -> Work:
    """Judge images in tasks by a stored detector; one that cannot be read, or has another size, is rejected."""
    from pointillist.anomaly.files import detector_digest
    from pointillist.data import load_data
    from pointillist.model.folder.image_sources import resolve_data_options

    folder = folder_of(settings)
    model, detector, _ = _open_detector(settings, folder)
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


def merge(facts: Facts, parts: Iterable[Arrays], out: Path) -> Facts:
    """Write the verdict on each image of a job, the most anomalous first, as `detect --csv` does."""
    rows = [json.loads(row) for part in parts for row in part["row"].tolist()]
    write_csv(out, rows)
    return {"images": len(rows), **_alarms(rows, facts["false_alarms"])}


def _alarms(rows: Sequence[Facts], rate: float) -> Facts:
    return {"anomalous": sum(row["pred_label"] for row in rows), "expected_if_all_are_normal": rate * len(rows)}


def folder_of(settings: DetectSettings) -> Path | None:
    """Return the folder of the detector: as named, or a model of the user."""
    from pointillist.model.folder.settings import folder_of_user

    return settings.detector or folder_of_user(settings.model)


def load_detector(
    folder: Path | None, model: LikelihoodModel, background: LikelihoodModel | None, settings: DetectSettings
) -> AnomalyDetector:
    """Load the detector of a folder.

    Raises:
        ConfigError: if there is none, or a setting of `fit` differs from the detector's.
        CheckpointError: if it does not fit the models, or is damaged.
    """
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector

    if settings.fit_split is not None:
        raise ConfigError(f"`fit_split` (={settings.fit_split!r}) is a split of `--fit`: name the normal images there.")
    if folder is None or not has_detector(folder):
        raise ConfigError(
            f"{folder or settings.model} has no detector: fit one with `--fit` and a folder of normal images"
            f"{', or name its folder with `--detector`' if folder is None else ''}."
        )
    if settings.neighbours is not None:
        raise ConfigError(f"`neighbours` (={settings.neighbours!r}) goes with `--fit`: the detector stores others.")
    detector = AnomalyDetector.load(folder, model, background)
    if settings.engine not in ("auto", detector.engine_):
        raise ConfigError(
            f"`engine` (={settings.engine!r}) goes with `--fit`: this detector was fitted by {detector.engine_!r}."
        )
    detector.set_params(**_scoring(settings))
    return detector


def _scoring(settings: DetectSettings) -> Facts:
    """Return the parameters of a detector that may differ from those that it was fitted with."""
    rate = {} if settings.false_alarms is None else {"contamination": settings.false_alarms}
    return {"batch_size": settings.batch_size, **rate}


def fit_detector(
    folder: Path | None, model: LikelihoodModel, background: LikelihoodModel | None, settings: DetectSettings
) -> tuple[AnomalyDetector, Facts]:
    """Fit a detector on normal images, and store it where there is a folder for it; return it with facts of the images.

    Raises:
        ConfigError: if the folder has a detector and `force` is not set.
        DataError: if the images cannot be read, or are too few.
    """
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector
    from pointillist.data.raw import split_name
    from pointillist.model.folder.image_sources import is_training_source

    if folder is not None and has_detector(folder) and not settings.force:
        raise ConfigError(
            f"{folder} has a detector already: leave `--fit` out to use it, add `--force` to replace it, or name "
            "another folder with `--detector`."
        )
    data, split = str(settings.fit), settings.fit_split or "valid?"
    detector = AnomalyDetector(model, background=background, engine=settings.engine, **_scoring(settings))
    split = split if split in ("all", "valid?") else split_name(split, "`fit_split`")
    images, split = _open(model, data, settings, split)
    in_training = 0
    if split in ("all", "train") and is_training_source(model, data):
        in_training = len(images if split == "train" else _open(model, data, settings, "train")[0])
    name = settings.neighbours
    detector.fit(images, neighbours=None if name is None else _open(model, name, settings, "train?")[0])
    if folder is not None:
        detector.save(folder)
    return detector, {"data": data, "split": split, "count": len(images), "in_training": in_training}


def _open(
    model: LikelihoodModel, data: str, settings: DetectSettings, split: str | None
) -> tuple[FolderStream | ImageDataset | np.ndarray, str]:
    """Open images as the model was trained to read them, and return them with the name of their split."""
    from pointillist.anomaly.reading import open_images
    from pointillist.model.folder.image_sources import resolve_data_options

    # with labels: what is held out is stratified by them, as in a training
    options = resolve_data_options(model, data, settings.set, labels=split == "valid?")
    options = options.changed(size=None) if settings.windows else options
    return open_images(model, data, split, options)
