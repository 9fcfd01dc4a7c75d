"""Maps of probability without realisations: the head of a model, and a truncated Gaussian field by GSTools.

A script of its own makes a training image for both: `python benchmarks/geology_maps.py fractures.npy`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Map = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Probabilities `[levels h w]` given levels and a mask of known cells, by a seed."""
SWEEPS = 200
"""Sweeps of the Gibbs sampler over the hard data; half of them are dropped."""


def map_of_head(model: Any) -> Map | None:
    """Return the head of the integer program of a model; None where it has none."""
    conditions = model.integer_model().conditions

    def marginals(levels: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
        inputs = conditions.inputs(size=known.shape, known=(levels[None, None], known[None, None]))
        return np.asarray(np.exp(conditions.log_marginals(inputs)[0]))

    size = (model.image.height, model.image.width)
    return None if conditions.log_marginals(conditions.inputs(size=size)) is None else marginals


def map_of_gaussian(training: np.ndarray) -> Map:
    """Truncate a Gaussian field at the quantiles of the levels (Matheron et al. 1987); the levels are in their order.

    GSTools fits a covariance along rows and along columns to the normal scores of the levels. A Gibbs sampler draws the
    Gaussian numbers of the hard data, which lie between two limits each; kriging then has the probability of each level
    in closed form, averaged over the sweeps.
    """
    import gstools
    from scipy.stats import norm, truncnorm

    levels = int(training.max()) + 1
    shares = np.bincount(training.ravel(), minlength=levels) / training.size
    limits = norm.ppf(np.concatenate([[0.0], shares.cumsum()[:-1], [1.0]]))
    densities = norm.pdf(limits)
    scores = ((densities[:-1] - densities[1:]) / shares)[training]  # mean of the Gaussian between the limits
    scales = []
    for axis in (0, 1):
        gamma = gstools.vario_estimate_axis(scores, direction="xy"[axis])[: min(40, training.shape[axis] // 2)]
        model = gstools.Exponential(dim=1)
        model.fit_variogram(np.arange(1.0, len(gamma)), gamma[1:] / scores.var(), nugget=False, sill=1.0)
        scales.append(model.len_scale)
    field = gstools.Exponential(dim=2, var=1.0, len_scale=scales[0], anis=scales[1] / scales[0])

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        lags = (a[:, None] - b[None]).astype(float) / [1.0, scales[1] / scales[0]]
        return np.asarray(field.covariance(np.hypot(lags[..., 0], lags[..., 1])))

    def marginals(truth: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
        data, cells = np.argwhere(known), np.argwhere(np.ones(known.shape, bool))
        inverse = np.linalg.inv(covariance(data, data) + 1e-6 * np.eye(len(data)))
        low, high = limits[truth[known]], limits[truth[known] + 1]
        rng = np.random.default_rng(seed)
        weights = covariance(cells, data) @ inverse
        spread = np.sqrt(np.clip(1 - (weights * covariance(cells, data)).sum(1), 1e-6, None))
        value, total = scores[0, 0] * np.zeros(len(data)), np.zeros((levels, len(cells)))
        for sweep in range(SWEEPS):
            for i in range(len(data)):
                mean, sd = value[i] - inverse[i] @ value / inverse[i, i], inverse[i, i] ** -0.5
                value[i] = truncnorm.rvs((low[i] - mean) / sd, (high[i] - mean) / sd, mean, sd, random_state=rng)
            if sweep >= SWEEPS // 2:
                below = norm.cdf((limits[:, None] - weights @ value) / spread)
                total += np.diff(below, axis=0)
        return (total / (SWEEPS - SWEEPS // 2)).reshape(levels, *known.shape).clip(1e-4)

    return marginals


def draw_fractures(side: int, count: int, seed: int) -> np.ndarray:
    """Draw bent fractures, two cells wide, in two directions: walks whose heading swings about 25 or 115 degrees."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side, side), np.uint8)
    for number in range(count):
        heading = np.deg2rad((25, 115)[number % 2]) + rng.normal(0, 0.1)
        place, bend, phase = rng.uniform(0, side, 2), rng.uniform(0.2, 0.5), rng.uniform(0, 2 * np.pi)
        for step in range(int(rng.uniform(40, 160))):
            angle = heading + bend * np.sin(phase + step / 15)
            place = (place + np.array([np.sin(angle), np.cos(angle)])) % side  # round the edges: as many everywhere
            row, column = place.astype(int)
            image[np.ix_([row, (row + 1) % side], [column, (column + 1) % side])] = 1
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="file of the training image")
    parser.add_argument("--side", type=int, default=300)
    parser.add_argument("--count", type=int, default=80, help="number of fractures")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    image = draw_fractures(arguments.side, arguments.count, arguments.seed)
    np.save(arguments.out, image)
    print(f"{arguments.out}  {image.shape[0]}x{image.shape[1]}, share of fractures {image.mean():.3f}")


if __name__ == "__main__":
    main()
