"""A fitted detector on disk: settings and names in JSON, numbers in safetensors. Neither can run code.

anomaly_detector.json           settings, names of the statistics, fingerprints of the models
anomaly_detector.safetensors    density, neighbours if any, held-out scores, scale of heat maps; a hash of the settings
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.anomaly.density import Density, ModelFit
from pointillist.anomaly.heat import HeatScale
from pointillist.anomaly.statistics import NearestImages
from pointillist.errors import CheckpointError
from pointillist.files.arrays import open_weights, plain, read_arrays, read_metadata, settings_digest, write_arrays
from pointillist.files.reading import read_document
from pointillist.files.writing import write_text
from pointillist.images.array_types import Float
from pointillist.model.protocols import LikelihoodModel

SETTINGS = "anomaly_detector.json"
TENSORS = "anomaly_detector.safetensors"
FORMAT_VERSION = 4
_SETTINGS = ("model", "background", "statistic_names", "image_size", "engine", "parameters", "model_fit")
_DENSITY = ("location", "scale", "centres", "whitening")


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredDetector:
    """Result of `fit`, and the parameters that it was called with.

    Attributes:
        parameters: parameters of the detector, without the models.
        statistic_names: names of the statistics.
        image_size: height and width of the images.
        engine: what gave the distributions: `integer` or `torch`.
        density: density of the statistics.
        neighbours: images of the distances, if any.
        model_fit: bits/dim of normal images.
        calibration_scores: scores of the held-out normal images, sorted.
        heat_scale: scale of heat maps.
    """

    parameters: dict[str, Any]
    statistic_names: tuple[str, ...]
    image_size: tuple[int, int]
    engine: str
    density: Density
    neighbours: NearestImages | None
    model_fit: ModelFit
    calibration_scores: Float[np.ndarray, " n"]
    heat_scale: HeatScale


FITTED = tuple(field.name for field in fields(StoredDetector) if field.name != "parameters")
"""Attributes of a fitted detector that are stored; there their names end with an underscore."""


def write_detector(
    folder: Path, stored: StoredDetector, model: LikelihoodModel, background: LikelihoodModel | None
) -> None:
    """Write a fitted detector to a folder: the settings first, and each file whole or not at all."""
    settings = {
        "format": "pointillist-anomaly-detector",
        "format_version": FORMAT_VERSION,
        "model": model.weights_fingerprint,
        "background": None if background is None else background.weights_fingerprint,
        **{name: plain(getattr(stored, name)) for name in _SETTINGS[2:]},
    }
    heat = stored.heat_scale
    arrays = {
        **{name: getattr(stored.density, name) for name in _DENSITY},
        **({} if stored.neighbours is None else {"neighbours": stored.neighbours.reference}),
        "calibration_scores": stored.calibration_scores,
        "heat_mean_and_deviation": np.array([heat.mean, heat.deviation]),
        "heat_peaks": heat.peaks,
    }
    write_text(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")
    write_arrays(folder / TENSORS, arrays, settings=settings_digest(settings))


def read_detector(folder: Path, model: LikelihoodModel, background: LikelihoodModel | None) -> StoredDetector:
    """Read a fitted detector for the models that it was fitted with.

    Raises:
        CheckpointError: if it is not there, damaged, of a newer format, or of another model.
    """
    settings = _read_settings(folder)
    for name, likelihood_model in (("model", model), ("background", background)):
        if settings[name] != (None if likelihood_model is None else likelihood_model.weights_fingerprint):
            raise CheckpointError(_mismatch(folder, name, settings[name], likelihood_model))
    tensors = read_arrays(folder / TENSORS)
    with open_weights(folder / TENSORS) as file:
        if read_metadata(file).get("settings") != settings_digest(settings):
            raise CheckpointError(f"{folder / TENSORS} was written with other settings than {SETTINGS}: fit it again.")
    height, width = settings["image_size"]
    neighbours = tensors.get("neighbours")
    mean, deviation = tensors["heat_mean_and_deviation"].tolist()
    return StoredDetector(
        parameters=settings["parameters"],
        statistic_names=tuple(settings["statistic_names"]),
        image_size=(height, width),
        engine=settings["engine"],
        density=Density(*(tensors[name] for name in _DENSITY)),
        neighbours=None if neighbours is None else NearestImages(neighbours, model.image.ordered),
        model_fit=ModelFit(**settings["model_fit"]),
        calibration_scores=tensors["calibration_scores"],
        heat_scale=HeatScale(mean, deviation, tensors["heat_peaks"]),
    )


def has_detector(folder: Path) -> bool:
    """Return True if a folder holds a fitted detector."""
    return (folder / SETTINGS).is_file()


def fitted_engine(folder: Path) -> str:
    """Return the engine that a detector was fitted with: `integer` or `torch`.

    Raises:
        CheckpointError: if there is no detector, or it is damaged.
    """
    return str(_read_settings(folder)["engine"])


def detector_digest(folder: Path) -> str:
    """Compute the SHA-256 of the files of a detector."""
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in (SETTINGS, TENSORS))).hexdigest()


def _read_settings(folder: Path) -> dict[str, Any]:
    if not has_detector(folder):
        raise CheckpointError(f"{folder} contains no {SETTINGS}: fit a detector on normal images first.")
    path = folder / SETTINGS
    settings = read_document(path, "an anomaly detector", "pointillist-anomaly-detector", (FORMAT_VERSION,))
    missing = [name for name in _SETTINGS if name not in settings]
    if missing:
        raise CheckpointError(f"{path} has no `{missing[0]}`: fit the detector again.")
    return settings


def _mismatch(folder: Path, name: str, stored: str | None, model: LikelihoodModel | None) -> str:
    if stored is None:
        return f"The detector in {folder} was fitted without a background model: leave `background` out."
    if model is None:
        return f"The detector in {folder} was fitted with a background model: give it as `background`."
    what = "another model" if name == "model" else "another background model"
    return f"The detector in {folder} was fitted with {what} than this one: fit it again, or give its own."
