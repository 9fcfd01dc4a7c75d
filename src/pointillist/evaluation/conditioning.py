"""What a condition is worth, by exact likelihood: bits saved, classes by Bayes' rule, prompts ranked; and copies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from pointillist.conditioning import ConditionInputs, TextConfig
from pointillist.data import ImageDataset
from pointillist.errors import ConfigError, DataError
from pointillist.evaluation.likelihood import Z95, check_spec, guided_log_likelihoods
from pointillist.images import OPAQUE, ImageSpec
from pointillist.model.dataset_conditions import DatasetConditions, match_labels
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MeanWithCI:
    """A mean over images with its 95 % interval (normal, over images); NaN for one image."""

    value: float
    interval: tuple[float, float]
    count: int

    @classmethod
    def of(cls, each: np.ndarray) -> MeanWithCI:
        """From one number an image."""
        mean = float(each.mean())
        spread = Z95 * float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else math.nan
        return cls(mean, (mean - spread, mean + spread), len(each))


@dataclass(frozen=True)
class RetrievalMetrics:
    """Where the true condition of each image stands among candidates, by log p(x | c).

    Attributes:
        top1, top5, mrr: shares of images whose true condition is first, or among the first five; mean of 1 / rank.
        candidates: how many there were for each image; chance is 1 / candidates for `top1`.
        ranks: of each image (over all draws of candidates), from 1; equal scores share their mean rank.
    """

    top1: MeanWithCI
    top5: MeanWithCI
    mrr: MeanWithCI
    candidates: int
    ranks: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, ranks: Float[np.ndarray, "n draws"], candidates: int) -> RetrievalMetrics:
        """From ranks; draws of one image are averaged first, as they are not independent."""
        top1, top5, mrr = (MeanWithCI.of(each.mean(1)) for each in (ranks <= 1, ranks <= 5, 1 / ranks))
        return cls(top1, top5, mrr, candidates, ranks)


def conditional_gain(
    model: PixelModel,
    data: ImageDataset,
    *,
    batch_size: int = 64,
    guidance: float = 1.0,
    on_progress: Progress | None = None,
) -> dict[str, MeanWithCI]:
    """What each condition of a data set saves, alone, and all together: bits of an image, against telling nothing.

    Here and below, `guidance` other than 1 measures the distribution that `sample` draws from with it.

    Raises:
        DataError: if the model is told nothing about these images.
    """
    check_spec(model, data)
    telling, names = DatasetConditions(model, data), _asked(model)
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*names, "everything")}
    heard: set[str] = set()
    with inference_mode(model):
        for start in range(0, len(data), batch_size):
            index = np.arange(start, min(len(data), start + batch_size))
            batch = data.batch(index)
            told, x = telling(batch), model.check(batch.levels)
            heard |= {name for name in names if any(told.parts[part].known.any() for part in names[name])}
            nothing = _nats(model, x, told.unconditional())
            for name in (*names, "everything"):
                kept = names.get(name, tuple(told.parts))
                alone = ConditionInputs(
                    len(told), {n: (told if n in kept else told.unconditional()).parts[n] for n in told.parts}
                )
                found[name].append((_nats(model, x, alone, guidance) - nothing) / math.log(2))
            if on_progress is not None:
                on_progress(int(index[-1]) + 1, len(data))
    if not heard:
        raise DataError(f"{data.name} tells this model nothing: read it with labels, captions or another condition.")
    return {name: MeanWithCI.of(np.concatenate(each)) for name, each in found.items() if name in heard | {"everything"}}


def bayes_classify(
    model: PixelModel,
    data: ImageDataset,
    *,
    batch_size: int = 64,
    guidance: float = 1.0,
    on_progress: Progress | None = None,
) -> tuple[RetrievalMetrics, Float[np.ndarray, "n k"]]:
    """Classes of images by Bayes' rule, all equally likely beforehand: `top1` is the accuracy; log p(x | c) in nats.

    Raises:
        ConfigError, DataError: if the model or the data have no labels.
    """
    if not model.config.classes or data.labels is None:
        raise ConfigError("Classes need a model and images with labels: one of them has none.")
    check_spec(model, data)
    classes = len(model.config.classes)
    truth = match_labels(model, data).numpy()
    scores = np.empty((len(data), classes))
    with inference_mode(model):
        for start in range(0, len(data), batch_size):
            index = np.arange(start, min(len(data), start + batch_size))
            x = model.check(data.batch(index).levels)
            size = (x.shape[2], x.shape[3])
            for label in range(classes):
                told = model.conditions.inputs(label, len(x), size=size)
                scores[index, label] = _nats(model, x, told, guidance)
            if on_progress is not None:
                on_progress(int(index[-1]) + 1, len(data))
    return RetrievalMetrics.of(_ranks(scores, truth)[:, None], classes), scores


def caption_retrieval(
    model: PixelModel,
    data: ImageDataset,
    *,
    candidates: int = 50,
    draws: int = 1,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> RetrievalMetrics:
    """Rank the caption of each image among others of the data set, drawn at random and all different from it.

    Raises:
        ConfigError, DataError: if the model does not listen to text, or the data have too few captions.
    """
    how: dict[str, Any] = {"candidates": candidates, "draws": draws, "seed": seed, "on_progress": on_progress}
    return rank_texts_under(model, data, (1.0,), **how)[0]


def rank_texts_under(
    model: PixelModel,
    data: ImageDataset,
    guidances: Sequence[float],
    *,
    candidates: int = 50,
    draws: int = 1,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> list[RetrievalMetrics]:
    """`caption_retrieval` by the likelihood under each of several guidances, for the time of one.

    Raises:
        ConfigError, DataError: as `caption_retrieval`.
    """
    if model.config.condition(TextConfig) is None or data.texts is None:
        raise ConfigError("Ranking captions needs a model that listens to text, and images with captions.")
    check_spec(model, data)

    def scores(i: int, asked: Sequence[str]) -> np.ndarray:
        x = model.check(data.batch([i]).levels)
        parts = [asked[start : start + candidates] for start in range(0, len(asked), candidates)]
        told = [model.conditions.inputs(None, len(part), part, size=(x.shape[2], x.shape[3])) for part in parts]
        found = []
        for part in told:
            seen = x.expand(len(part), -1, -1, -1)
            found.append(guided_log_likelihoods(model, seen, part, guidances))
        return np.concatenate([np.stack([nats.numpy() for nats in part]) for part in found], 1)

    with inference_mode(model):
        return rank_captions(scores, data, candidates, draws, seed, on_progress)


def rank_captions(
    scores: Callable[[int, Sequence[str]], np.ndarray],
    data: ImageDataset,
    candidates: int,
    draws: int,
    seed: int,
    on_progress: Progress | None = None,
) -> list[RetrievalMetrics]:
    """Rank captions by any scores of (image, captions); who ranks with the same seed is asked about the same ones.

    Args:
        scores: gives `[k n]`, or `[n]`: a ranking for each of `k`.

    Raises:
        DataError: if there are too few captions.
    """
    assert data.texts is not None
    distinct = sorted(set(data.texts))
    if len(distinct) < candidates:
        raise DataError(f"{data.name} has {len(distinct)} different captions, fewer than {candidates}: rank fewer.")
    ranks: list[np.ndarray] = []
    for i, text in enumerate(data.texts):
        others = [other for other in distinct if other != text]
        chosen = [
            np.random.default_rng([seed, draw, i]).choice(len(others), candidates - 1, replace=False)
            for draw in range(draws)
        ]
        asked = {int(j): others[int(j)] for draw in chosen for j in draw}  # who is drawn twice is scored once
        found = np.atleast_2d(scores(i, [text, *asked.values()]))
        column = {j: place for place, j in enumerate(asked, 1)}
        places = [[0, *(column[int(j)] for j in numbers)] for numbers in chosen]
        ranks.append(np.stack([_ranks(found[:, row], np.zeros(len(found), np.int64)) for row in places], 1))
        if on_progress is not None:
            on_progress(i + 1, len(data))
    return [RetrievalMetrics.of(each, candidates) for each in np.stack(ranks, 1)]


def nearest_training_match(
    images: Int[Tensor, "n c h w"],
    known: Int[Tensor, "m c h w"],
    spec: ImageSpec,
    on_progress: Progress | None = None,
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The nearest of `known` images to each image: the share of its pixels that agree, and which it is.

    Only pixels count that are not background in either image, where a palette or alpha tells what background is; a
    known image also counts mirrored. Compare samples with images that were held out: more agreement means copying.
    """
    asked, there = _flat(images, spec), _flat(torch.cat([known, known.flip(3)]), spec)
    best, which = np.empty(len(images)), np.empty(len(images), np.int64)
    for i, (x, empty) in enumerate(zip(*asked, strict=True)):
        same = there[0][:, 0] == x[0]
        for channel in range(1, len(x)):
            same &= there[0][:, channel] == x[channel]
        counted = ~(there[1] & empty)
        same &= counted
        # a sum of bytes as int32 is several times as fast as one as int64
        share = same.sum(1, dtype=np.int32) / np.maximum(counted.sum(1, dtype=np.int32), 1)
        nearest = int(share.argmax())
        best[i], which[i] = share[nearest], nearest % len(known)
        if on_progress is not None:
            on_progress(i + 1, len(images))
    return best, which


def _flat(x: Int[Tensor, "n c h w"], spec: ImageSpec) -> tuple[Shaped[np.ndarray, "n c s"], Bool[np.ndarray, "n s"]]:
    """Levels in as few bytes as they need, and where background is."""
    kind = np.uint8 if spec.levels <= 256 else np.uint16
    return x.flatten(2).numpy().astype(kind), _background(x, spec).flatten(1).numpy()


def _background(x: Int[Tensor, "n c h w"], spec: ImageSpec) -> Bool[Tensor, "n h w"]:
    """Transparent sites `n h w`; none where the kind of image has no transparency."""
    if spec.mode == "palette" and spec.palette is not None:
        return torch.tensor([colour[3] < OPAQUE for colour in spec.palette])[x[:, 0]]
    if spec.mode == "rgba":
        return x[:, 3] * 255 < OPAQUE * (spec.levels - 1)
    return torch.zeros(len(x), *x.shape[2:], dtype=torch.bool)


def _asked(model: PixelModel) -> dict[str, tuple[str, ...]]:
    """Conditions by the name under which they are told, and the parts of each."""
    found: dict[str, tuple[str, ...]] = {}
    for name, listener in model.conditions.encoders.items():
        asks = listener.keyword
        found[asks] = (*found.get(asks, ()), name)
    return found


def _nats(
    model: PixelModel, x: Int[Tensor, "b c h w"], told: ConditionInputs, guidance: float = 1.0
) -> Float[np.ndarray, " b"]:
    (found,) = guided_log_likelihoods(model, x, told, (guidance,))
    return found.numpy()


def _ranks(scores: Float[np.ndarray, "n k"], truth: Sequence[int] | np.ndarray) -> Float[np.ndarray, " n"]:
    """The rank of the true one, from 1: one more than those above it, and half of those equal to it."""
    own = scores[np.arange(len(scores)), truth][:, None]
    equal = (scores == own).sum(1) - 1
    ranks: np.ndarray = 1 + (scores > own).sum(1) + equal / 2
    return ranks
