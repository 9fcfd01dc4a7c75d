"""A fitted detector with the names and signs of PyOD: high is anomalous, and labels are 0 and 1."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from pointillist.images.array_types import Float, Int


@runtime_checkable
class FittedDetector(Protocol):
    """Methods that are needed of a fitted detector."""

    contamination: float
    calibration_scores_: Float[np.ndarray, " n"]

    @property
    def offset_(self) -> float:
        """Score below which an image is called anomalous."""

    def score_samples(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """Compute the score of each image: high is normal."""

    def p_value(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """Compute the p-value of each image."""


class PyodDetector:
    """View of a fitted detector as PyOD has it.

    ```python
    detector.to_pyod().predict(images)  # 0 for normal, 1 for anomalous
    ```

    Attributes:
        detector: the fitted detector.
        contamination: its false-alarm rate.
        threshold_: scores above it are anomalous.
        decision_scores_: scores of the held-out normal images.
        labels_: their labels, 0 or 1.
    """

    def __init__(self, detector: FittedDetector) -> None:
        self.detector = detector
        self.contamination: float = detector.contamination
        self.threshold_: float = -detector.offset_
        self.decision_scores_: Float[np.ndarray, " n"] = -detector.calibration_scores_
        self.labels_: Int[np.ndarray, " n"] = (self.decision_scores_ > self.threshold_).astype(np.int64)

    def decision_function(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """Compute the score of each image: high is anomalous."""
        return -self.detector.score_samples(X)

    def predict(self, X: Any) -> Int[np.ndarray, " n"]:  # noqa: N803
        """Label each image: 0 for normal, 1 for anomalous."""
        return (self.decision_function(X) > self.threshold_).astype(np.int64)

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n 2"]:  # noqa: N803
        """Return the p-value of each image, and 1 minus it: not a probability, which needs anomalous images."""
        p_values = self.detector.p_value(X)
        return np.stack([p_values, 1 - p_values], 1)
