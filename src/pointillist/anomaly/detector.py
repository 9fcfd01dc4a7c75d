"""The anomaly detector: what normal images look like to a model, judged on both sides, with valid p-values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointillist.errors import ConfigError, DataError, MissingExtraError, Range, Rule, ShapeError, member_of
from pointillist.images.array_types import Float, Int

try:
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as _error:
    raise MissingExtraError("Anomaly detection", "anomaly") from _error

from pointillist.anomaly.density import (
    KINDS,
    Density,
    DensityKind,
    ModelFit,
    collect_normals,
    conformal_p_values,
    conformal_threshold,
    fit_density,
    image_digest,
    least_count,
    nearest_images,
)
from pointillist.anomaly.files import FITTED, StoredDetector, fitted_engine, read_detector, write_detector
from pointillist.anomaly.heat import AnomalyRecord, HeatScale
from pointillist.anomaly.reading import Windows, open_images
from pointillist.anomaly.statistics import NearestImages, ScoredBatch, Scorer
from pointillist.model.folder.image_sources import several_images
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import SCORING_ENGINES, LikelihoodModel, scorer_of

_LEAST_RATE = 1e-9  # needs more normal images than there are
_LEAST_FITTED = 20  # images from which a density can be fitted
_RULES: dict[str, Rule] = {
    "contamination": Range(_LEAST_RATE, 0.5, "be above 0 and at most 0.5: 0.05 calls one in twenty normal images odd"),
    "engine": member_of("Unknown `engine`", SCORING_ENGINES),
    "density": member_of("Unknown `density`", KINDS),
}


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Outlier detector of images by the exact likelihood of a model of normal images; scikit-learn's contract.

    ```python
    detector = pt.AnomalyDetector(model).fit(normal)  # normal images that the model was not trained on
    detector.p_value(images)  # share of normal images at least as anomalous
    detector.predict(images)  # +1 or -1
    detector.explain(images[0]).overlay()
    ```

    Several statistics of an image are judged together, each on both sides: `statistic_names_`, explained on the page
    "Find anomalous images". The score is their log-density among normal images; nothing is tuned. Half of the normal
    images fit the density, the other half give the p-values, which are valid for any model: of unseen normal images at
    most `contamination` are called anomalous on average. Which half an image is in depends on its content alone. No
    anomalous image is needed.

    Images are a folder, a data set, levels `[n c h w]` or PIL images. Those larger than the model's are scored by
    overlapping windows. All must have one size.

    Attributes:
        model_: the model.
        engine_: what gives the distributions: `integer` or `torch`.
        statistic_names_: names of the statistics.
        density_: density of the statistics of normal images.
        neighbours_: normal images to which distances are measured; None without any.
        model_fit_: bits/dim of normal images, and in a file format.
        calibration_scores_: scores of the held-out normal images, sorted, `[n]`.
        heat_scale_: scale of heat maps.
        image_size_: height and width of the images.
        normal_digests_: hashes of the images of `fit`; empty for a detector that was loaded.
        offset_: scores below it are anomalous.
    """

    def __init__(
        self,
        model: LikelihoodModel | str | Path,
        *,
        background: LikelihoodModel | str | Path | None = None,
        contamination: float = 0.05,
        density: DensityKind = "auto",
        smoothing: float = 1.5,
        batch_size: int = 64,
        engine: str = "auto",
    ) -> None:
        """Keep the settings; they are checked by `fit`.

        Args:
            model: a model of normal images, or its name or folder.
            background: a model of what all images of this kind share, such as one trained on normal images with noise
                (`augmentation.mutation_rate`); adds the likelihood ratio (Ren et al. 2019, arXiv 1906.02845).
            contamination: false-alarm rate: the share of normal images that may be called anomalous.
            density: `gaussian`, `kde`, or `auto`: whichever fits held-out normal images better.
            smoothing: standard deviation of the Gaussian that smooths heat maps, in pixels.
            batch_size: images, or windows of them, at once; the result does not change.
            engine: `auto` scores by the integer program of the model, if it has one, `integer` needs one, and `torch`
                is floating point; a detector keeps to the one that it was fitted with.
        """
        self.model = model
        self.background = background
        self.contamination = contamination
        self.density = density
        self.smoothing = smoothing
        self.batch_size = batch_size
        self.engine = engine

    def __sklearn_clone__(self) -> AnomalyDetector:
        """Return an unfitted detector of the same models, which are shared: fitting does not change them."""
        return type(self)(**self.get_params(deep=False))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: images instead of rows of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    def fit(self, X: Any, y: Any = None, *, neighbours: Any = None) -> AnomalyDetector:  # noqa: N803
        """Learn what is normal from images that the model was not trained on.

        Args:
            X: normal images; of a name, a file or splits that have one, the validation split.
            y: ignored, as scikit-learn has it.
            neighbours: further normal images, to which distances are measured, one more statistic; training images
                too; of a name, a file or splits the training split.

        Raises:
            ConfigError: if a setting is wrong.
            DataError, ShapeError: if there are too few images, or they do not fit the model.
        """
        self._check_settings()
        self.model_: LikelihoodModel = open_scored(self.model, self.engine)
        self.background_: LikelihoodModel | None = (
            None if self.background is None else open_scored(self.background, self.engine)
        )
        images, _ = open_images(self.model_, X, "valid?")
        self.neighbours_: NearestImages | None = None
        if neighbours is not None:
            self.neighbours_ = nearest_images(self.model_, images, open_images(self.model_, neighbours, "train?")[0])
        scorer = self._scorer(self.engine)
        normals = collect_normals(scorer.score(images))
        least = 2 * max(least_count(self.contamination), _LEAST_FITTED)
        if len(normals) < least:
            raise DataError(
                f"{len(normals):,} normal images are too few: `contamination` (={self.contamination:g}) needs at least "
                f"{least:,}, half of them held out; give more, or ask for a higher rate."
            )
        fitted, held_out = normals[::2], normals[1::2]
        self.image_size_: tuple[int, int] = normals.size
        self.normal_digests_: frozenset[bytes] = frozenset(normals.digests)
        window = Windows.of(normals.size, (self.model_.image.height, self.model_.image.width)).window
        self.engine_: str = scorer_of(self.model_, self.engine, window).engine
        self.statistic_names_: tuple[str, ...] = scorer.names
        self.density_: Density = fit_density(fitted.statistics.reshape(-1, len(scorer.names)), self.density)
        self.model_fit_: ModelFit = ModelFit.of(self.model_, normals, images)
        scores = self.density_.of_worst_windows(held_out.statistics)[0]
        self.calibration_scores_: Float[np.ndarray, " n"] = np.sort(scores)
        self.heat_scale_: HeatScale = HeatScale.of(fitted, held_out)
        return self

    @property
    def offset_(self) -> float:
        """Score below which an image is called anomalous: its p-value is at most `contamination`."""
        check_is_fitted(self)
        self._check_settings()
        held_out, needed = len(self.calibration_scores_), least_count(self.contamination)
        if held_out < needed:
            raise ConfigError(
                f"`contamination` (={self.contamination:g}) needs at least {needed:,} held-out normal images, and this "
                f"detector has {held_out:,}: ask for a higher rate, or fit it on {2 * needed:,} or more."
            )
        return conformal_threshold(self.calibration_scores_, self.contamination)

    def score_samples(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """Compute the score of each image, the log-density of its statistics in nats: high is normal.

        Raises:
            NotFittedError, DataError, ShapeError: before `fit`, or if images do not fit it.
        """
        return np.concatenate([self.density_.of_worst_windows(batch.statistics)[0] for batch in self._batches(X)])

    def decision_function(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """Compute `score_samples` less `offset_`: negative is anomalous."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Int[np.ndarray, " n"]:  # noqa: N803
        """Call each image normal (+1) or anomalous (-1)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_value(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """Compute the share of held-out normal images, and the image itself, that are at least as anomalous.

        Valid in finite samples: for a new normal image, P(p <= a) is at most a, for every a.
        """
        return conformal_p_values(self.calibration_scores_, self.score_samples(X))

    def statistics(self, X: Any) -> Float[np.ndarray, "n k"]:  # noqa: N803
        """Compute the statistics of each image, in standard deviations, of its most anomalous window."""
        return np.concatenate([self.density_.of_worst_windows(batch.statistics)[1] for batch in self._batches(X)])

    def records(self, X: Any) -> Iterator[AnomalyRecord]:  # noqa: N803
        """Yield the verdict on each image with its maps, in order; of a folder only a batch is in memory."""
        offset, threshold = self.offset_, self.heat_scale_.threshold(self.contamination)
        for batch in self._batches(X):
            scores, standardised = self.density_.of_worst_windows(batch.statistics)
            p_values = conformal_p_values(self.calibration_scores_, scores)
            maps = self.heat_scale_.z(batch.excess)
            images = batch.images
            for i, name in enumerate(images.names):
                yield AnomalyRecord(
                    name=name,
                    levels=images.levels[i],
                    spec=self.model_.image.resized(*self.image_size_),
                    score=float(scores[i]),
                    p_value=float(p_values[i]),
                    pred_label=bool(scores[i] < offset),
                    statistics=dict(zip(self.statistic_names_, standardised[i].tolist(), strict=True)),
                    z_map=maps[i],
                    mask_threshold=threshold,
                    top=self.heat_scale_.top,
                )

    def was_fitted_on(self, levels: Int[np.ndarray, "c h w"]) -> bool:
        """Return True for images seen by `fit` (exact match): their p-values are not valid."""
        return bool(self.normal_digests_) and image_digest(levels) in self.normal_digests_

    def explain(self, image: Any) -> AnomalyRecord:
        """Score one image, with maps of where it is anomalous.

        Args:
            image: levels `[c h w]`, a PIL image, or the path of an image file.

        Raises:
            NotFittedError, DataError, ShapeError: before `fit`, or if the image does not fit it.
        """
        if not isinstance(image, (str, Path, Image.Image)):
            image = np.asarray(image)[None] if np.ndim(image) == 3 else np.asarray(image)
            if len(image) != 1:
                raise several_images(len(image))
        return next(self.records(image))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted detector, without its models, to a folder; see `load`."""
        check_is_fitted(self)
        parameters = {k: v for k, v in self.get_params(deep=False).items() if k not in ("model", "background")}
        stored = StoredDetector(parameters=parameters, **{name: getattr(self, f"{name}_") for name in FITTED})
        write_detector(Path(folder), stored, self.model_, self.background_)
        return Path(folder)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        model: LikelihoodModel | str | Path,
        background: LikelihoodModel | str | Path | None = None,
    ) -> AnomalyDetector:
        """Load a detector that `save` wrote, fitted.

        Args:
            folder: folder of the detector, or of the model in which it was saved.
            model, background: the models that it was fitted with.

        Raises:
            CheckpointError: if it is not there, is damaged, or was fitted with another model.
        """
        engine = fitted_engine(Path(folder))
        model, background = open_scored(model, engine), None if background is None else open_scored(background, engine)
        stored = read_detector(Path(folder), model, background)
        detector = cls(model, background=background, **stored.parameters)
        detector.model_, detector.background_ = model, background
        for name in FITTED:
            setattr(detector, f"{name}_", getattr(stored, name))
        detector.normal_digests_ = frozenset()
        return detector

    def _check_settings(self) -> None:
        for name, rule in _RULES.items():
            rule(name, getattr(self, name))

    def _scorer(self, engine: str) -> Scorer:
        return Scorer(
            model=self.model_,
            background=self.background_,
            neighbours=self.neighbours_,
            smoothing=self.smoothing,
            batch_size=self.batch_size,
            engine=engine,
        )

    def _batches(self, X: Any) -> Iterator[ScoredBatch]:  # noqa: N803
        check_is_fitted(self)
        for batch in self._scorer(self.engine_).score(X):
            size = batch.excess.shape[1:]
            if size != self.image_size_:
                raise ShapeError(
                    f"Images of {size[0]}x{size[1]} do not fit this detector, which was fitted on "
                    f"{self.image_size_[0]}x{self.image_size_[1]}: resize them, or fit one on images of their size."
                )
            yield batch
