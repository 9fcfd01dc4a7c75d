"""Conditional metrics from the exact likelihood: bits saved by a condition, Bayes classification, ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pointillist.analysis.evaluation.likelihood import Z95
from pointillist.conditioning import ConditionInputs
from pointillist.data import ImageDataset
from pointillist.errors import ConfigError, DataError
from pointillist.files.arrays import Summary
from pointillist.files.progress import Bar
from pointillist.images.array_types import Float
from pointillist.model.batches import BatchReader, guided_log_likelihoods, match_labels
from pointillist.model.protocols import LikelihoodModel, scorer_of


@dataclass(frozen=True)
class MeanWithCI(Summary):
    """A mean over images with its 95 % confidence interval (normal, over images); NaN for one image."""

    _summary = "value interval_95=interval count"

    value: float
    interval: tuple[float, float]
    count: int

    @classmethod
    def of(cls, values: Float[np.ndarray, " n"]) -> MeanWithCI:
        mean, count = float(values.mean()), len(values)
        spread = Z95 * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        return cls(mean, (mean - spread, mean + spread), count)


@dataclass(frozen=True)
class RetrievalMetrics(Summary):
    """Rank of the true condition of each image among candidates, by log p(x | c).

    Attributes:
        top1, top5: shares of images whose true condition ranks first, or among the first five.
        mrr: mean reciprocal rank.
        candidates: number of candidates for each image; chance is 1 / candidates for `top1`.
        ranks: rank of each image for each draw of candidates, from 1; equal scores share their mean rank.
    """

    _summary = "top1 top5 mrr candidates chance=_chance"

    top1: MeanWithCI
    top5: MeanWithCI
    mrr: MeanWithCI
    candidates: int
    ranks: np.ndarray = field(repr=False)

    def _chance(self) -> float:
        return 1 / self.candidates

    @classmethod
    def of(cls, ranks: Float[np.ndarray, "n repeats"], candidates: int) -> RetrievalMetrics:
        """Compute the metrics from ranks; repeats of one image are averaged first, as they are not independent."""
        top1, top5, mrr = (MeanWithCI.of(values.mean(1)) for values in (ranks <= 1, ranks <= 5, 1 / ranks))
        return cls(top1, top5, mrr, candidates, ranks)


def ranks_of(scores: Float[np.ndarray, "n k"], truth: Sequence[int] | np.ndarray) -> Float[np.ndarray, " n"]:
    """Rank the true candidate, from 1: one more than the number of higher scores, plus half of the equal ones."""
    true_scores = scores[np.arange(len(scores)), truth][:, None]
    equal = (scores == true_scores).sum(1) - 1
    ranks: np.ndarray = 1 + (scores > true_scores).sum(1) + equal / 2
    return ranks


def conditional_gain(
    model: LikelihoodModel, data: ImageDataset, *, batch_size: int = 64, guidance: float = 1.0, engine: str = "auto"
) -> dict[str, MeanWithCI]:
    """Compute the bits an image that each condition of a data set saves, against the unconditional likelihood.

    Args:
        guidance: guidance scale of the conditional distribution; see `guided_log_probs`.
        engine: what computes the likelihoods; see `evaluate`.

    Returns:
        the gain log2 p(x | c) - log2 p(x) of each condition alone by its keyword, and of all as `everything`.

    Raises:
        DataError: if the data set has no condition of the model.

    Example:
        conditional_gain(model, data.test)["label"].value  # bits an image
    """
    reader, names = BatchReader(model, data, engine=engine), _conditions_by_keyword(model)
    scorer = reader.open_scorer(batch_size)
    gains: dict[str, list[np.ndarray]] = {name: [] for name in (*names, "everything")}
    used: set[str] = set()
    with Bar("bits saved", len(data)) as bar:
        for start in range(0, len(data), batch_size):
            x, inputs = reader.read(start, start + batch_size)
            dropped = inputs.unconditional()
            used |= {name for name in names if any(inputs.parts[part].known.any() for part in names[name])}
            (baseline,) = guided_log_likelihoods(scorer, x, dropped, (1.0,))
            for name in gains:
                used_parts = names.get(name, tuple(inputs.parts))
                parts = {part: (inputs if part in used_parts else dropped).parts[part] for part in inputs.parts}
                (conditional,) = guided_log_likelihoods(scorer, x, ConditionInputs(len(inputs), parts), (guidance,))
                gains[name].append((conditional - baseline) / math.log(2))
            bar.show(start + len(x))
    if not used:
        raise DataError(
            f"{data.name} has no condition of this model: read it with labels, captions or another condition."
        )
    return {name: MeanWithCI.of(np.concatenate(g)) for name, g in gains.items() if name in used | {"everything"}}


def bayes_classify(
    model: LikelihoodModel, data: ImageDataset, *, batch_size: int = 64, guidance: float = 1.0, engine: str = "auto"
) -> tuple[RetrievalMetrics, Float[np.ndarray, "n k"]]:
    """Classify images by Bayes' rule with a uniform prior: p(c | x) is proportional to p(x | c).

    Args:
        guidance: guidance scale of p(x | c); see `guided_log_probs`.
        engine: what computes the likelihoods; see `evaluate`.

    Returns:
        metrics, of which `top1` is the accuracy, and log p(x | c) of every class in nats.

    Raises:
        ConfigError, DataError: if the model or the data have no labels.

    Example:
        metrics, log_likelihood = bayes_classify(model, data.test)
        print(metrics.top1.value)
    """
    if not model.classes or data.labels is None:
        raise ConfigError("Classes need a model and images with labels: one of them has none.")
    reader = BatchReader(model, data)
    scorer = scorer_of(model, engine, (data.spec.height, data.spec.width))
    classes = len(model.classes)
    truth = match_labels(model, data)
    scores = np.empty((len(data), classes))
    with Bar("classifying", len(data)) as bar:
        for start in range(0, len(data), batch_size):
            x, _ = reader.read(start, start + batch_size)
            for label in range(classes):
                inputs = model.conditions.inputs(label, len(x), size=(x.shape[2], x.shape[3]))
                (scores[start : start + len(x), label],) = guided_log_likelihoods(scorer, x, inputs, (guidance,))
            bar.show(start + len(x))
    return RetrievalMetrics.of(ranks_of(scores, truth)[:, None], classes), scores


def _conditions_by_keyword(model: LikelihoodModel) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for name, reader in model.conditions.readers.items():
        keyword = reader.keyword
        result[keyword] = (*result.get(keyword, ()), name)
    return result
