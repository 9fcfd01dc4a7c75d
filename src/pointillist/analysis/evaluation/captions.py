"""Captions of images by the exact likelihood: the posterior over candidates, and retrieval within a data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np

from pointillist.analysis.evaluation.conditioning import RetrievalMetrics, ranks_of
from pointillist.conditioning import ConditionInputs, Label
from pointillist.conditioning.inputs import PROMPT_PARTS
from pointillist.data import ImageDataset
from pointillist.errors import ConfigError, DataError, quote
from pointillist.files.arrays import Summary, number_array
from pointillist.files.progress import Bar
from pointillist.files.suggestions import AnsweredNames
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.batches import BatchReader, QueryKwargs, guided_log_likelihoods
from pointillist.model.folder.image_sources import single_image
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel, scorer_of
from pointillist.model.vocabulary import literal_prompts


@dataclass(frozen=True)
class Reading:
    """Settings of likelihoods under captions.

    ```python
    Reading(model.scorer(), guidances=(1.0,), batch_size=16)
    ```

    Attributes:
        scorer: gives the likelihoods; see `LikelihoodModel.scorer`.
        guidances: guidance scales; see `guided_log_probs`.
        batch_size: captions at once.
        order: the generation order; None for the model's first.
    """

    scorer: LikelihoodModel
    guidances: Sequence[float] = (1.0,)
    batch_size: int = 16
    order: PixelOrder | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking(AnsweredNames, Summary):
    """Captions of an image, the most probable first.

    With a uniform prior that is the order of their likelihoods; equal ones keep the order in which they were given.

    ```python
    ranking = pt.rank("icons", "heart.png", ["a heart", "a star"])
    ranking.texts[0], ranking.posterior[0]  # the most probable caption and its probability
    ```

    Attributes:
        texts: the captions.
        index: number of each among the candidates as given, from 0, `[k]`.
        log_likelihood: log p(x | caption) of the image, in nats, `[k]`; other conditions stay.
        saved: bits that each caption saves, log2 p(x | caption) - log2 p(x), `[k]`.
        posterior: probability of each caption given the image, if one of them is its caption, `[k]`; sums to 1.
        prior: its probability before the image is seen, `[k]`.
        guidance: guidance scale of the likelihoods; 1 is the model itself.
        engine: `integer` for the likelihood of the integer program, `torch` for the model in floating point.
    """

    usual_variable: ClassVar[str] = "ranking"
    _summary = "captions guidance engine"

    texts: tuple[str, ...]
    index: Int[np.ndarray, " k"] = field(repr=False)
    log_likelihood: Float[np.ndarray, " k"]
    saved: Float[np.ndarray, " k"]
    posterior: Float[np.ndarray, " k"]
    prior: Float[np.ndarray, " k"] = field(repr=False)
    guidance: float = 1.0
    engine: str = "torch"

    @property
    def captions(self) -> list[dict[str, str | float]]:
        """The captions, each with its numbers by name."""
        names = ("index", "log_likelihood", "saved", "posterior", "prior")
        columns = zip(self.texts, *(getattr(self, name).tolist() for name in names), strict=True)
        keys = ("text", "index", "nats", "saved_bits", "posterior", "prior")
        return [dict(zip(keys, (text, i, -log, *rest), strict=True)) for text, i, log, *rest in columns]

    def __str__(self) -> str:
        rows = zip(self.posterior, self.saved, self.texts, strict=True)
        return "\n".join(f"{share:6.3f}  {saved:+9.2f} bits  {text}" for share, saved, text in rows)

    def __repr__(self) -> str:
        return f"Ranking({len(self.texts)} captions, first {quote(self.texts[0])} with {self.posterior[0]:.3f})"


def rank(
    model: LikelihoodModel | str | Path,
    image: Any,
    texts: Sequence[str],
    label: Label = None,
    *,
    prior: Sequence[float] | None = None,
    guidance: float = 1.0,
    batch_size: int = 16,
    **query: Unpack[QueryKwargs],
) -> Ranking:
    """Order captions by the exact likelihood of an image under each, and compute the posterior over them.

    By Bayes' rule p(caption | x) is proportional to p(x | caption) p(caption): a model that samples from captions also
    reads images (Li et al. 2023, arXiv 2303.16203, by a bound on the likelihood of a diffusion model). A caption that
    says less is not wrong, so compare captions that say the same things of an image.

    Args:
        model: a model that is conditioned on text, or the name or folder of one.
        image: levels `[c h w]`, a PIL image or the path of an image file.
        texts: the candidates, `k` of them; each takes a pass over the image, `batch_size` of them at once.
        label, query: other conditions of the image, the order and the engine; see `QueryKwargs`.
        prior: probability of each candidate before the image is seen, `[k]`, or numbers in proportion to it; None for
            a uniform prior.
        guidance: guidance scale of the likelihood; see `guided_log_probs`.

    Returns:
        the captions in order, their log-likelihoods in nats, the bits that each saves, and the posterior.

    Raises:
        ConfigError: if the model is not conditioned on text, a candidate says nothing that it reads, or the prior does
            not fit.
        ShapeError, DataError: if the model does not take the image.

    Example:
        ranking = pt.rank("icons", "heart.png", ["a heart", "a star", "a house"])
        print(ranking)  # probability, bits saved and caption, line by line
    """
    model = open_scored(model, query.get("engine", "auto"))
    reader = BatchReader(model, single_image(model, image), label, **query)
    (ranking,) = _rankings(model, reader, texts, prior, guidance, batch_size)
    return ranking


def rank_images(
    model: LikelihoodModel,
    data: ImageDataset,
    texts: Sequence[str],
    *,
    prior: Sequence[float] | None = None,
    guidance: float = 1.0,
    batch_size: int = 16,
    **query: Unpack[QueryKwargs],
) -> list[Ranking]:
    """Rank the same captions for every image of a data set, as `rank` does; its other conditions stay.

    Raises:
        ConfigError, DataError, ShapeError: as `rank`.

    Example:
        rankings = rank_images(model, data.test, ["a red sofa", "a blue sofa"])
        [ranking.texts[0] for ranking in rankings]
    """
    return list(_rankings(model, BatchReader(model, data, **query), texts, prior, guidance, batch_size))


def _rankings(
    model: LikelihoodModel,
    reader: BatchReader,
    texts: Sequence[str],
    prior: Sequence[float] | None,
    guidance: float,
    batch_size: int,
) -> Iterator[Ranking]:
    """Check the settings, and yield the ranking of each image."""
    before = caption_prior(model, texts, prior)
    reading = Reading(reader.open_scorer(batch_size), (guidance,), batch_size, model.order(reader.order))
    with Bar("ranking captions", reader.count) as bar:
        for i in range(reader.count):
            yield _ranking(model, reading, *reader.read(i, i + 1), texts, before)
            bar.show(i + 1)


def _ranking(
    model: LikelihoodModel,
    reading: Reading,
    x: Int[np.ndarray, "1 c h w"],
    others: ConditionInputs,
    texts: Sequence[str],
    before: Float[np.ndarray, " k"],
) -> Ranking:
    others = others.dropped({name: part.known for name, part in others.parts.items() if name in PROMPT_PARTS})
    (log_likelihood,) = caption_log_likelihoods(model, reading, x, others, texts)
    guided = guided_log_likelihoods(reading.scorer, x, others, reading.guidances, reading.order)
    with np.errstate(divide="ignore"):  # the logarithm of a prior of 0
        joint = log_likelihood + np.log(before)
    weights = np.exp(joint - joint.max())
    order = np.argsort(-joint, kind="stable")
    return Ranking(
        texts=tuple(texts[i] for i in order),
        index=order,
        log_likelihood=log_likelihood[order],
        saved=(log_likelihood[order] - float(guided[0][0])) / math.log(2),
        posterior=(weights / weights.sum())[order],
        prior=before[order],
        guidance=reading.guidances[0],
        engine=reading.scorer.engine,
    )


def caption_prior(
    model: LikelihoodModel, texts: Sequence[str], prior: Sequence[float] | None
) -> Float[np.ndarray, " k"]:
    """Return the prior of candidates, which sums to 1, once candidates and prior are known to fit the model.

    Raises:
        ConfigError: naming what is wrong.
    """
    if isinstance(texts, str) or not np.iterable(texts) or not len(texts):
        raise ConfigError(f"`texts` (={quote(texts)}) must be a list of captions to rank: give two or more.")
    if model.conditions.reader("text") is None:
        raise model.conditions.unsupported("text", texts)
    prompts = literal_prompts(model, texts, len(texts)) or []
    inputs = model.conditions.with_prompts(model.conditions.inputs(count=len(prompts)), prompts)
    parts = [part for name, part in inputs.parts.items() if name in PROMPT_PARTS]
    read = [b"".join(part.values[i].tobytes() for part in parts) for i in range(len(prompts))]
    double = next((i for i, features in enumerate(read) if features in read[:i]), None)
    if double is not None:
        raise ConfigError(f"`texts[{double}]` (={quote(texts[double])}) reads as a caption before it: leave one out.")
    known = np.any([part.known.reshape(len(prompts), -1).any(1) for part in parts], 0)
    if not known.all():
        number = int(known.argmin())
        raise ConfigError(
            f"`texts[{number}]` (={quote(texts[number])}) has no word that the text encoder of this model reads: write "
            "a caption there, or leave it out."
        )
    weights = np.ones(len(texts)) if prior is None else number_array("prior", prior, "a list of numbers")
    if weights.shape != (len(texts),) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ConfigError(
            f"`prior` (={quote(prior)}) must have a number of at least 0 for each of {len(texts)} captions, not all of "
            "them 0."
        )
    shares = weights / weights.max()  # a sum that cannot overflow
    return np.asarray(shares / shares.sum())


def caption_log_likelihoods(
    model: LikelihoodModel,
    reading: Reading,
    x: Int[np.ndarray, "1 c h w"],
    others: ConditionInputs,
    captions: Sequence[str],
) -> Float[np.ndarray, "g n"]:
    """Compute log p(x | caption) of one image under each of `n` captions and each of `g` guidance scales, in nats.

    Captions that are read the same way are scored once: in floating point a likelihood depends on its place in a batch.

    Args:
        x: levels that the model has checked.
        others: other conditions of the image, a batch of one.

    Raises:
        CheckpointError: if one is not a number.
    """
    firsts, equal = _distinct_captions(model, captions)
    distinct, result = [captions[i] for i in firsts], []
    for start in range(0, len(distinct), reading.batch_size):
        batch = distinct[start : start + reading.batch_size]
        inputs = model.conditions.with_prompts(others[np.zeros(len(batch), np.int64)], batch)
        copies = np.broadcast_to(x, (len(batch), *x.shape[1:]))
        result.append(
            np.stack(guided_log_likelihoods(reading.scorer, copies, inputs, reading.guidances, reading.order))
        )
    return np.concatenate(result, 1)[:, equal]


def _distinct_captions(model: LikelihoodModel, captions: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the numbers of captions that the model reads differently, and for each caption its place among them."""
    parts = model.conditions.with_prompts(model.conditions.inputs(count=len(captions)), captions).parts
    arrays = [array for name in PROMPT_PARTS if name in parts for array in (parts[name].values, parts[name].known)]
    read = [tuple(array[i].tobytes() for array in arrays) for i in range(len(captions))]
    places = {key: place for place, key in enumerate(dict.fromkeys(read))}
    return [read.index(key) for key in places], [places[key] for key in read]


def caption_retrieval(
    model: LikelihoodModel,
    data: ImageDataset,
    *,
    guidances: Sequence[float] = (1.0,),
    candidates: int = 50,
    repeats: int = 1,
    seed: int = 0,
    engine: str = "auto",
) -> list[RetrievalMetrics]:
    """Rank the caption of each image among other captions of the data set, by log p(x | caption).

    Args:
        guidances: guidance scales of the likelihood; several cost little more than one. See `guided_log_probs`.
        candidates: number of captions to rank, the true one included; the others are drawn at random and differ.
        repeats: number of draws of the other captions.
        seed: seed of the draws.
        engine: what computes the likelihoods; see `evaluate`.

    Returns:
        metrics for each guidance scale.

    Raises:
        ConfigError, DataError: if the model is not conditioned on text, or the data have too few captions.

    Example:
        (metrics,) = caption_retrieval(model, data.test, candidates=50, repeats=3)
        print(metrics.mrr.value, metrics.mrr.interval)
    """
    if model.conditions.reader("text") is None or data.texts is None:
        raise ConfigError("Caption retrieval needs a model that is conditioned on text, and images with captions.")
    reader, scorer = BatchReader(model, data), scorer_of(model, engine, (data.spec.height, data.spec.width))

    def scores(i: int, captions: Sequence[str]) -> Float[np.ndarray, "g n"]:
        x, _ = reader.read(i, i + 1)
        others = model.conditions.inputs(count=1, size=(x.shape[2], x.shape[3]))
        reading = Reading(scorer, guidances, candidates)
        return caption_log_likelihoods(model, reading, x, others, captions)

    return rank_captions(scores, data, candidates, repeats, seed)


def rank_captions(
    scores: Callable[[int, Sequence[str]], Float[np.ndarray, "g n"]],
    data: ImageDataset,
    candidates: int,
    repeats: int,
    seed: int,
) -> list[RetrievalMetrics]:
    """Rank captions by a score function. The same seed gives the same candidates.

    Args:
        scores: given the index of an image and its `n` captions, the true one first, returns scores `[g n]`: `g`
            rankings.

    Returns:
        metrics for each of the `g` rankings.

    Raises:
        DataError: if there are too few captions.
    """
    assert data.texts is not None
    distinct = sorted(set(data.texts))
    if len(distinct) < candidates:
        raise DataError(f"{data.name} has {len(distinct)} different captions, fewer than {candidates}: rank fewer.")
    ranks: list[np.ndarray] = []
    with Bar("ranking", len(data)) as bar:
        for i, text in enumerate(data.texts):
            others = [other for other in distinct if other != text]
            draws = [
                np.random.default_rng([seed, repeat, i]).choice(len(others), candidates - 1, replace=False).tolist()
                for repeat in range(repeats)
            ]
            drawn = list(dict.fromkeys(number for draw in draws for number in draw))  # one drawn twice is scored once
            result = scores(i, [text, *(others[number] for number in drawn)])
            column = {number: index for index, number in enumerate(drawn, 1)}
            truth = np.zeros(len(result), np.int64)
            ranks.append(np.stack([ranks_of(result[:, [0, *(column[j] for j in draw)]], truth) for draw in draws], 1))
            bar.show(i + 1)
    return [RetrievalMetrics.of(each, candidates) for each in np.stack(ranks, 1)]
