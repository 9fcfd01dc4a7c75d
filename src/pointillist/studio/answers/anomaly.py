"""Images of the studio against normal images, by the anomaly detectors of its models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError
from pointillist.model.protocols import LikelihoodModel
from pointillist.studio import schemas
from pointillist.studio.conversion import decode_levels, encode_floats
from pointillist.studio.errors import RequestError
from pointillist.studio.model_pool import ModelPool, PooledModel

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector


class DetectorPool:
    """Fitted detectors of the models of a studio: read when they are first used, and again when their files change.

    A model's own folder is looked at first, then the others.

    ```python
    detectors = DetectorPool(models, [Path("runs/detector")])
    detectors.find(models["digits"]).explain(levels).p_value
    ```

    Args:
        models: the models of the studio; one of them may be the background model of another's detector.
        folders: folders of detectors, of any of the models.

    Raises:
        ConfigError: if one of the folders has no detector.
        MissingExtraError: if there are folders, and scikit-learn is not installed.
    """

    def __init__(self, models: ModelPool, folders: Sequence[Path] = ()) -> None:
        self._models, self._folders = models, tuple(folders)
        self._found: dict[str, tuple[LikelihoodModel, str, AnomalyDetector]] = {}
        if folders:
            from pointillist.anomaly.files import has_detector

            for folder in folders:
                if not has_detector(folder):
                    raise ConfigError(
                        f"`detector` (={str(folder)!r}) has no detector: `pointillist detect MODEL DATA --fit NORMAL` "
                        "writes one."
                    )

    def find(self, entry: PooledModel) -> Any:  # an `AnomalyDetector`: the types of its base are unknown to checkers
        """Return the detector of a model; the caller holds the model's `query_lock`.

        Raises:
            RequestError: if it has none that can be used here.
            CheckpointError: if that in its folder is damaged, or of another model.
        """
        from pointillist.anomaly import AnomalyDetector
        from pointillist.anomaly.files import detector_digest, fitted_models

        model, folder = entry.model, self._folder(entry)
        digest = detector_digest(folder)
        known = self._found.get(entry.id)
        if known is None or known[0] is not model or known[1] != digest:
            background = self._background(entry, fitted_models(folder)[1])
            known = model, digest, AnomalyDetector.load(folder, model, background)
            self._found[entry.id] = known
        return known[2]

    def has(self, entry: PooledModel) -> bool:
        """Return True if a model that is ready has a detector here."""
        return entry.info.state == "ready" and self._find_folder(entry)[0] is not None

    def _find_folder(self, entry: PooledModel) -> tuple[Path | None, Path | None]:
        """Return the folder of the detector of a model, None if absent; and the folder in which a fit would put it."""
        from pointillist.anomaly.files import fitted_models, has_detector
        from pointillist.model.folder.settings import own_folder

        nearest = None if entry.source is None else own_folder(entry.source)
        if nearest is not None and has_detector(nearest):
            return nearest, nearest
        return next((folder for folder in self._folders if fitted_models(folder)[0] == entry.sha256), None), nearest

    def _folder(self, entry: PooledModel) -> Path:
        folder, nearest = self._find_folder(entry)
        if folder is not None:
            return folder
        if nearest is not None:
            remedy = f"`pointillist detect {entry.source} DATA --fit NORMAL` fits one on a folder of normal images."
        else:
            remedy = (
                f"`pointillist detect {entry.source or 'MODEL'} DATA --fit NORMAL --detector DIR` fits one on a folder "
                "of normal images, and a studio that is started with `--detector DIR` uses it."
            )
        raise RequestError(404, "no_detector", f"{entry.name} has no detector: {remedy}")

    def _background(self, entry: PooledModel, sha256: str | None) -> LikelihoodModel | None:
        """Return the open model of a hash."""
        if sha256 is None:
            return None
        for other in self._models.entries.values():
            if other.info.state == "ready" and other.sha256 == sha256:
                return other.model
        raise RequestError(
            404,
            "no_detector",
            f"The detector of {entry.name} was fitted with a background model that is not open here: start the studio "
            "with that model too, or fit a detector without one.",
        )


def anomaly_map(detector: Any, query: schemas.AnomalyQuery, limits: schemas.Limits) -> schemas.AnomalyMap:
    """Judge an image by a detector.

    Raises:
        RequestError: if there are too many pixels, or the detector judges images with their conditions.
        ShapeError, DataError: if it is not an image of the model, or of another size than the normal images.
    """
    from pointillist.anomaly.statistics import DESCRIPTIONS

    if detector.conditions:
        raise RequestError(
            404,
            "no_detector",
            "The detector of this model judges images of a data set with their conditions, which the studio does not: "
            "fit one that judges images alone (`pointillist detect` with no conditions).",
        )
    record = detector.explain(decode_levels(detector.model_, query.levels, limits, canvas=True)[0])
    distances = sorted(record.statistics.items(), key=lambda item: -abs(item[1]))
    return schemas.AnomalyMap(
        distance=encode_floats(record.z_map),
        top=record.top,
        p_value=record.p_value,
        held_out=len(detector.calibration_scores_),
        false_alarms=detector.contamination,
        odd=record.pred_label,
        statistics=[
            schemas.AnomalyStatistic(name=name, meaning=DESCRIPTIONS[name], distance=distance)
            for name, distance in distances
        ],
    )
