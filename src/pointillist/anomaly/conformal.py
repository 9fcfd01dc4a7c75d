"""P-values and thresholds from held-out normal images, valid in finite samples whatever the score.

Split conformal prediction (Vovk et al. 2005; Bates et al. 2023, arXiv 2104.08279): if a new image and the n held-out
ones are exchangeable, its rank among them is uniform, so P(p <= a) is at most a, for every a.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float


def conformal_p_values(
    calibration: Float[np.ndarray, " n"], scores: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Compute (1 + number of held-out scores that are at most as high) / (n + 1); high scores are normal.

    Example:
        conformal_p_values(np.array([1.0, 2.0, 3.0]), np.array([1.5]))  # [0.5]
    """
    lower = np.searchsorted(np.sort(calibration), scores, side="right")
    p_values: np.ndarray = (1 + lower) / (len(calibration) + 1)
    return p_values


def conformal_threshold(calibration: Float[np.ndarray, " n"], rate: float) -> float:
    """Return the score below which the p-value is at most `rate`; minus infinity if no score is so low.

    Example:
        conformal_threshold(np.arange(19.0), 0.05)  # 0.0: the lowest of 19
    """
    rank = math.floor(rate * (len(calibration) + 1) + 1e-9)
    return float(np.sort(calibration)[rank - 1]) if rank else -math.inf


def least_count(rate: float) -> int:
    """Return the number of held-out scores that a p-value of `rate` needs."""
    return math.ceil(1 / rate - 1e-9) - 1
