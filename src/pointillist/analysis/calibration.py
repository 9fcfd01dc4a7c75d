"""Calibration of a model's probabilities: PIT histogram and reliability diagram, with test bands.

The PIT of a level x is F(x - 1) + v p(x) with v uniform in [0, 1): randomised, because levels are discrete (Smith 1985;
Czado, Gneiting, Held 2009). If the model is right, the PITs of all sub-pixels are independent and uniform, whatever the
images are, because each is conditioned on all sub-pixels before it (Rosenblatt 1952). So the band is exact. Needs no
torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Unpack

import numpy as np
from PIL import Image

from pointillist.analysis.charts import pit_chart, reliability_chart
from pointillist.conditioning import Label
from pointillist.errors import ConfigError, DataError
from pointillist.files.arrays import Summary
from pointillist.files.progress import Bar
from pointillist.images import channel_names
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.visualization import Chart
from pointillist.images.visualization.pixels import ShownAsPicture
from pointillist.model.batches import BatchReader, QueryKwargs
from pointillist.model.protocols import Distributions, LikelihoodModel

CONFIDENCE = 0.95  # probability that all bars of a calibrated model lie in the band
# edges of the bins of probability: fine at both ends, where most probabilities are
_LOWER = (0.0, 1 / 4096, 1 / 1024, 1 / 256, 1 / 64, 1 / 16, 0.125, 0.25, 0.375)
EDGES = (*_LOWER, 0.5, *(1 - edge for edge in reversed(_LOWER)))
_MIN_STD = 2.0  # hits: a normal band needs at least this standard deviation
_STREAM = 1  # not the uniforms with which `sample` draws images of the same seed: the PIT would follow them
_TABLE_SIZE = 8_000_000  # probabilities held at once


@dataclass(frozen=True, eq=False)
class Reliability:
    """Observed frequency against predicted probability, `[bins]` each. Every level of every sub-pixel is one forecast.

    ```python
    reliability = calibration(model, digits.test).reliability
    reliability.predicted, reliability.observed
    ```

    Attributes:
        edges: edges of the bins of probability, `[bins + 1]`.
        count: forecasts in each bin.
        predicted: mean probability of the forecasts; NaN in an empty bin.
        observed: share of the forecasts that came true.
        std: standard deviation of that share for a calibrated model. It allows for the fact that the forecasts of one
            sub-pixel exclude one another.
    """

    edges: Float[np.ndarray, " e"] = field(repr=False)
    count: Int[np.ndarray, " n"] = field(repr=False)
    predicted: Float[np.ndarray, " n"] = field(repr=False)
    observed: Float[np.ndarray, " n"] = field(repr=False)
    std: Float[np.ndarray, " n"] = field(repr=False)

    @property
    def judged(self) -> Bool[np.ndarray, " n"]:
        """Bins whose number of true forecasts has a standard deviation of at least 2, enough for a normal band."""
        result: np.ndarray = np.nan_to_num(self.std * self.count) >= _MIN_STD
        return result

    @property
    def band(self) -> Float[np.ndarray, " n"]:
        """Half the width of the band around `predicted` that holds all judged bins of a calibrated model with 95 %.

        NaN in bins that are not judged.
        """
        return np.where(self.judged, self.std * _simultaneous(int(self.judged.sum())), np.nan)

    @property
    def num_outside(self) -> int:
        """Number of judged bins outside their band: 0 with 95 % for a calibrated model."""
        judged = self.judged
        return int((np.abs(self.observed - self.predicted)[judged] > self.band[judged]).sum())

    @property
    def error(self) -> float:
        """Mean distance of observed from predicted, weighted by the probability in each bin (not by forecasts)."""
        shown = self.count > 0
        weight = (self.count * self.predicted)[shown]
        distance = np.abs(self.observed - self.predicted)[shown]
        return float((weight * distance).sum() / max(weight.sum(), 1e-300))

    def _forecasts(self) -> dict[str, list[float | None]]:
        """Return the numbers of the bins that have forecasts; None for a band that is not judged."""
        columns = {"count": self.count, "predicted": self.predicted, "observed": self.observed, "band": self.band}
        shown = {name: column[self.count > 0].tolist() for name, column in columns.items()}
        return shown | {"band": [None if math.isnan(half) else half for half in shown["band"]]}

    def chart(self) -> Chart:
        """Draw observed frequencies against predicted probabilities."""
        return reliability_chart(self.predicted, self.observed, self.band)


@dataclass(frozen=True, eq=False)
class Calibration(ShownAsPicture, Summary):
    """PIT histogram and reliability of a model on some images.

    ```python
    result = calibration(model, digits.test)
    result.pit_p_value  # small for a model that is not calibrated
    result.image().save("pit.png")
    ```

    Attributes:
        pit: counts of the PIT of each channel in equal bins, `[c bins]`; None for unordered levels, which have none.
        reliability: reliability over all levels of all sub-pixels.
        images, dims: number of images, and of sub-pixels of each.
        seed: seed of the randomised PIT.
        names: names of the channels.
    """

    pit: Int[np.ndarray, "c bins"] | None = field(repr=False)
    reliability: Reliability
    images: int
    dims: int
    seed: int
    names: tuple[str, ...] = ()

    @property
    def pit_band(self) -> tuple[float, float]:
        """Band around 1, the height of a flat histogram, that holds all bars of a calibrated model with 95 %."""
        pit = self._pit_counts()
        bins, count = pit.shape[1], max(1, int(pit.sum()))
        half = _simultaneous(bins) * math.sqrt((bins - 1) / count)
        return max(0.0, 1 - half), 1 + half

    @property
    def pit_p_value(self) -> float:
        """P-value of the chi-square test that the histogram is flat: small where it is not."""
        counts = self._pit_counts().sum(0)
        expected = counts.sum() / len(counts)
        statistic = float(((counts - expected) ** 2).sum() / max(expected, 1e-300))
        return chi_square_p_value(statistic, len(counts) - 1)

    def image(self) -> Image.Image:
        """Draw the PIT histogram; the reliability diagram without one."""
        return self.reliability_image() if self.pit is None else self.pit_chart().image()

    def pit_chart(self) -> Chart:
        """Draw the PIT histogram of all channels.

        Raises:
            ConfigError: if the levels are unordered.
        """
        return pit_chart(self._pit_counts().sum(0), self.pit_band)

    def reliability_image(self) -> Image.Image:
        """Draw observed frequencies against predicted probabilities."""
        return self.reliability.chart().image()

    def _pit_counts(self) -> Int[np.ndarray, "c bins"]:
        if self.pit is None:
            raise ConfigError("Unordered levels have no PIT: use `reliability`.")
        return self.pit

    @property
    def _summary(self) -> str:
        pit = "" if self.pit is None else "pit pit_band pit_p_value"
        means = "reliability_error=reliability.error reliability=reliability._forecasts"
        return f"images seed {means} reliability_outside=reliability.num_outside {pit}"


def calibration(
    model: LikelihoodModel,
    x: Any,
    label: Label = None,
    text: Any = None,
    *,
    bins: int = 20,
    seed: int = 0,
    batch_size: int = 64,
    **query: Unpack[QueryKwargs],
) -> Calibration:
    """Compare a model's probabilities with observed frequencies, over images it has not been trained on.

    Czado, Gneiting, Held 2009, "Predictive model assessment for count data".

    Args:
        x: a data set, which brings its own conditions, or levels.
        bins: bins of the PIT histogram.
        seed: seed of the randomised PIT; image i depends on (seed, i) alone, not on `batch_size`.
        label, text, query: conditions on levels, the order and the engine; see `QueryKwargs`.

    Raises:
        ConfigError, DataError, ShapeError: if a setting or the images do not fit.

    Example::

        result = calibration(model, digits.test)
        result.pit_p_value  # small for a model that is not calibrated
        result.reliability.num_outside  # bins outside their 95 % band
    """
    if bins < 2 or batch_size < 1 or seed < 0:
        raise ConfigError(
            f"`bins` (={bins}) must be at least 2, `batch_size` (={batch_size}) at least 1, `seed` (={seed}) 0 or more."
        )
    reader = BatchReader(model, x, label, text, seed=seed, **query)
    if reader.count == 0:
        raise DataError("The data set is empty: calibration needs at least one image.")
    image, order = model.image, model.order(reader.order)
    pit, sums = np.zeros((image.channels, bins), np.int64), _ReliabilityAccumulator()
    step = max(1, min(batch_size, _TABLE_SIZE // (image.levels * reader.height * reader.width)))
    scorer = reader.open_scorer(step)
    with Bar("calibration", reader.count) as bar:
        for start in range(0, reader.count, step):
            levels, inputs = reader.read(start, start + step)
            distributions = scorer.distributions(levels, inputs, order)
            draws = [np.random.default_rng([seed, i, _STREAM]) for i in range(start, start + len(levels))]
            v = np.stack([random.random(levels.shape[1:]) for random in draws])
            for channel in range(image.channels):
                probs, observed = _forecasts(distributions, channel)
                sums.add(probs, observed)
                bin_index = (_pit(probs, observed, v[:, channel].reshape(-1)) * bins).astype(np.int64)
                pit[channel] += np.bincount(np.minimum(bin_index, bins - 1), minlength=bins)
            bar.show(start + len(levels))
    dims = image.channels * reader.height * reader.width
    result = pit if image.ordered else None
    return Calibration(result, sums.reliability(), reader.count, dims, seed, channel_names(model.image))


def _forecasts(distributions: Distributions, channel: int) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n 1"]]:
    """Return probabilities of all levels at every sub-pixel of a channel, and the observed level."""
    probs = np.moveaxis(distributions.probs(channel), 1, -1)
    probs = np.ascontiguousarray(probs / probs.sum(-1, keepdims=True)).reshape(-1, probs.shape[-1])
    return probs, distributions.x[:, channel].reshape(-1, 1)


def _pit(
    probs: Float[np.ndarray, "n k"], observed: Int[np.ndarray, "n 1"], v: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Compute F(x - 1) + v p(x)."""
    here = np.take_along_axis(probs, observed, 1)[:, 0]
    below = np.take_along_axis(probs.cumsum(1), observed, 1)[:, 0] - here
    return np.asarray((below + v * here).clip(0, 1))


class _ReliabilityAccumulator:
    """Sums over forecasts, bin by bin."""

    def __init__(self) -> None:
        bins = len(EDGES) - 1
        self.count = np.zeros(bins, np.int64)
        self.hits, self.mass, self.variance = np.zeros(bins), np.zeros(bins), np.zeros(bins)

    def add(self, probs: Float[np.ndarray, "n k"], observed: Int[np.ndarray, "n 1"]) -> None:
        """Add the forecasts at some sub-pixels, and the observed level of each."""
        bins, rows = len(self.count), len(probs)
        bin_index = np.searchsorted(EDGES[1:-1], probs, side="right")
        self.count += np.bincount(bin_index.reshape(-1), minlength=bins)
        self.hits += np.bincount(np.take_along_axis(bin_index, observed, 1)[:, 0], minlength=bins)
        # the share of each sub-pixel's probability that lies in a bin: one of its levels there is observed, or none is
        cells = (bin_index + bins * np.arange(rows)[:, None]).reshape(-1)
        share = np.bincount(cells, probs.reshape(-1), minlength=bins * rows).reshape(rows, bins)
        self.mass += share.sum(0)
        self.variance += (share * (1 - share)).clip(min=0).sum(0)

    def reliability(self) -> Reliability:
        """Return the shares and their standard deviations."""
        count = np.where(self.count > 0, self.count, np.nan)
        return Reliability(
            np.asarray(EDGES), self.count, self.mass / count, self.hits / count, np.sqrt(self.variance) / count
        )


def _simultaneous(tests: int) -> float:
    """Return the number of standard deviations that holds all of some tests with the confidence (Bonferroni)."""
    return NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * max(1, tests)))


def chi_square_p_value(statistic: float, freedom: int) -> float:
    """Return the probability that a chi-square variable exceeds a statistic: a finite sum for whole degrees of freedom.

    Abramowitz and Stegun 1964, "Handbook of mathematical functions", 26.4.4 and 26.4.5.

    ```python
    chi_square_p_value(3.841, 1)  # 0.0500
    ```
    """
    x, offset = statistic / 2, freedom % 2 / 2
    if x <= 0:
        return 1.0
    total = math.erfc(math.sqrt(x)) if offset else math.exp(-x)
    for k in range(1, (freedom + 1) // 2):  # Q(a + 1, x) = Q(a, x) + x^a exp(-x) / Gamma(a + 1)
        a = k - offset
        total += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
    return min(total, 1.0)
