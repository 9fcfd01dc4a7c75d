"""`detect`: anomalous images, by a model of normal ones and a detector that is loaded or fitted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.jobs.work import Arrays, Work, item_options, model_facts
from pointillist.commands.measurement.settings import DetectSettings
from pointillist.commands.paths import open_scored_model, reject_existing, reject_filled
from pointillist.commands.report import Facts, lines_of, note
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector, AnomalyReport
    from pointillist.commands.jobs.folder import Parts
    from pointillist.model.protocols import LikelihoodModel


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


@dataclass(frozen=True, kw_only=True)
class NormalImages:
    """The images that a detector was fitted on.

    Attributes:
        data: their source, as it was typed.
        split: its split.
        count: number of images.
        in_training: number of those that the model was trained on, as far as its settings tell.
    """

    data: str
    split: str
    count: int
    in_training: int

    def describe(self) -> str:
        """Describe them in a line, such as "144 images of uci-digits, split valid"."""
        from pointillist.errors import counted

        return f"{counted(self.count, 'image')} of {self.data}, {self.split_text}"

    @property
    def split_text(self) -> str:
        return "all splits" if self.split == "all" else f"split {self.split}"

    def warnings(self, judged: int) -> list[str]:
        """Warn where p-values are not valid.

        Args:
            judged: number of the images to score that are also among these.
        """
        from pointillist.errors import counted

        lines = []
        if self.in_training:
            lines.append(
                f"the detector was fitted on {counted(self.in_training, 'training image')} of this model, so unseen "
                "normal images get p-values that are too small: give others with --fit or --fit-split"
            )
        if judged:
            lines.append(
                f"the detector was fitted on {judged:,} of the images that are scored here, which makes p-values too "
                "large: give other normal images with --fit or --fit-split"
            )
        return lines


def folder_of(settings: DetectSettings) -> Path | None:
    """Return the folder of the detector: as named, or a model of the user."""
    from pointillist.model.folder.settings import own_folder

    return settings.detector or own_folder(settings.model)


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
    from pointillist.errors import ConfigError

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
    if settings.conditions and not detector.conditions:
        raise ConfigError("`conditions` (=True) goes with `--fit`: this detector was fitted without conditions.")
    if settings.engine not in ("auto", detector.engine_):
        raise ConfigError(
            f"`engine` (={settings.engine!r}) goes with `--fit`: this detector was fitted by {detector.engine_!r}."
        )
    return detector


def fit_detector(
    folder: Path | None, model: LikelihoodModel, background: LikelihoodModel | None, settings: DetectSettings
) -> tuple[AnomalyDetector, NormalImages]:
    """Fit a detector on normal images, and store it where there is a folder for it.

    Raises:
        ConfigError: if the folder has a detector and `force` is not set.
        DataError: if the images cannot be read, or are too few.
    """
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
    images, normal = _open_normal_images(model, settings, detector.conditions)
    neighbours = None
    if settings.neighbours is not None:
        neighbours, _ = open_images(model, settings.neighbours, settings, split="train?", conditions=False)
    detector.fit(images, neighbours=neighbours)
    if folder is not None:
        detector.save(folder)
    return detector, normal


def open_judged(model: LikelihoodModel, settings: DetectSettings, conditions: bool) -> Any:
    """Open the images to score, with their labels, which a report names.

    Images of a source whose labels the training left out are read a second time, and are labelled if they are the same.
    """
    from pointillist.data import ImageDataset

    images, _ = open_images(model, settings.data, settings, split=settings.split, conditions=conditions)
    if not isinstance(images, ImageDataset) or images.labels is not None or settings.report is None:
        return images
    labelled, _ = open_images(model, settings.data, settings, split=settings.split, conditions=False, named=True)
    return labelled if labelled.fingerprint == images.fingerprint else images


def open_images(
    model: LikelihoodModel,
    data: str,
    settings: DetectSettings,
    *,
    split: str | None,
    conditions: bool,
    named: bool = False,
) -> tuple[Any, str]:
    """Open images as the model was trained to read them: a folder as a stream, everything else whole.

    Args:
        model: the model that scores them.
        data: their source.
        settings: of the command.
        split: name of a split; `valid?` and `train?` are these splits, if there are any; None is all images.
        conditions: whether they are read with labels and captions.
        named: whether labels are read to be named alone, of any class.

    Returns:
        The images and the name of their split.
    """
    from pointillist.anomaly.reading import training_split, validation_images
    from pointillist.data import load_data
    from pointillist.data.readers.image_folder import FolderStream
    from pointillist.model.folder.image_sources import is_training_source, resolve_data_options

    options = resolve_data_options(model, data, settings.set, labels=conditions or split == "valid?")
    if named:
        options = options.changed(labels=True)
    if settings.windows:
        options = options.changed(size=None)
    path = Path(data)
    if (path.is_dir() or FolderStream.reads(path)) and split in (None, "valid?", "train?") and not conditions:
        stream = FolderStream(path, options, model.image)
        if split is None or not (stream.has_splits or is_training_source(model, data)):
            return stream, "all"
    if split == "valid?":
        return validation_images(model, data, options, conditions, hold_out=not is_training_source(model, data))
    classes = model.classes if options.labels and not named else ()
    splits = load_data(data, options, spec=model.image, classes=classes)
    if split == "train?":
        return training_split(splits), "train"
    return splits.get(split or "all"), split or "all"


def _open_normal_images(model: LikelihoodModel, settings: DetectSettings, conditions: bool) -> tuple[Any, NormalImages]:
    from pointillist.data.raw import split_name
    from pointillist.model.folder.image_sources import is_training_source

    data = str(settings.fit)
    wanted = (
        settings.fit_split if settings.fit_split in (None, "all") else split_name(settings.fit_split, "`fit_split`")
    )
    images, split = open_images(model, data, settings, split=wanted or "valid?", conditions=conditions)
    in_training = 0
    if is_training_source(model, data) and split in ("train", "all"):
        train = (
            images if split == "train" else open_images(model, data, settings, split="train", conditions=conditions)[0]
        )
        in_training = len(train)
    return images, NormalImages(data=data, split=split, count=len(images), in_training=in_training)
