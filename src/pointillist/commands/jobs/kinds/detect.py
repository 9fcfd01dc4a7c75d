"""Judge many images by a fitted anomaly detector; an image that cannot be read is rejected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings, model_facts, open_job_model
from pointillist.commands.measurement.settings import DetectSettings
from pointillist.commands.settings import argument

if TYPE_CHECKING:
    from pointillist.commands.jobs.folder import Parts


@dataclass(frozen=True, kw_only=True)
class DetectJobSettings(JobSettings, DetectSettings):
    """Settings of a job that scores images: the options of `pointillist detect`, whose `--fit` makes the detector."""

    left_out: ClassVar[frozenset[str]] = frozenset(
        {
            "fit",
            "fit_split",
            "neighbours",
            "background",
            "conditions",
            "windows",
            "heatmaps",
            "report",
            "csv",
            "as_json",
            "top",
            "fail_on_anomaly",
            "force",
        }
    )

    data: str = argument("DATA", "Images to judge; read as the model's own kind.")


class DetectJob(JobKind):
    """Judge each image; see `pointillist.AnomalyDetector`."""

    count: int
    skipped: dict[str, str]

    Settings: ClassVar[type[DetectJobSettings]] = DetectJobSettings

    def __init__(self, settings: DetectJobSettings) -> None:
        from pointillist.anomaly import AnomalyDetector
        from pointillist.anomaly.files import detector_digest
        from pointillist.data import load_data
        from pointillist.errors import ConfigError
        from pointillist.model.folder.image_sources import resolve_data_options
        from pointillist.zoo import resolve

        model = open_job_model(settings)
        folder = settings.detector or resolve(settings.model)
        if folder is None:
            raise ConfigError(f"`detector` is missing: {settings.model} is not a folder, so name the detector's.")
        self._detector = AnomalyDetector.load(folder, model)
        if self._detector.conditions:
            raise ConfigError("This detector also scores with conditions, which a job does not: use the plain command.")
        self._detector.set_params(batch_size=settings.batch_size)
        if settings.false_alarms is not None:
            self._detector.set_params(contamination=settings.false_alarms)
        options = resolve_data_options(model, settings.data, settings.set, labels=False).changed(skip_bad=True)
        if options.size is None and Path(settings.data).is_dir():  # a picture of another size is rejected by itself
            options = options.changed(size=self._detector.image_size_, resize_mode="require")
        images = load_data(settings.data, options, spec=model.image).get(settings.split or "all")
        self._images = images
        self.count, self.skipped = len(images), images.skipped
        self.facts: dict[str, Any] = {
            "model": model_facts(model),
            "detector": detector_digest(Path(folder)),
            "images": images.fingerprint,
            "false_alarms": self._detector.contamination,
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Judge a batch; the verdict on each image is JSON."""
        import numpy as np

        images = self._images.subset(range(start, stop))
        rows = [record.to_dict() for record in self._detector.records(images)]
        if images.files is None:
            rows = [{**row, "file": str(start + i)} for i, row in enumerate(rows)]
        return {"row": np.array([json.dumps(row) for row in rows], np.str_)}

    def warm_up(self) -> None:
        """Do nothing: a pass of the network compiles nothing."""

    def name(self, item: int) -> str | None:
        """Return the file of an image."""
        return None if self._images.files is None else self._images.files[item]

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> dict[str, Any]:
        """Write the verdict on each image, the most anomalous first, as `pointillist detect --csv` does."""
        from pointillist.anomaly.report import write_csv
        from pointillist.commands.jobs.state import check_suffix

        check_suffix(out, ".csv")
        rows = [json.loads(row) for part in parts for row in part["row"].tolist()]
        write_csv(out, sorted(rows, key=lambda row: row["score"]))
        anomalous, expected = sum(row["pred_label"] for row in rows), manifest["facts"]["false_alarms"] * len(rows)
        return {"images": len(rows), "anomalous": anomalous, "expected_if_all_are_normal": expected}


KIND = DetectJob
