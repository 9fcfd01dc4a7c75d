"""`evaluate`: the likelihood of images under a model, optional metrics, and their report; `bench`: times of samples."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.measurement.settings import BenchSettings, EvaluateSettings
from pointillist.commands.paths import open_scored_model, reject_existing
from pointillist.commands.report import Arrays, Facts, Work, item_options, model_facts, note
from pointillist.commands.sampling.conditions import parse_texts
from pointillist.data.raw import SPLITS
from pointillist.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from pointillist.analysis.evaluation.likelihood import Evaluation
    from pointillist.data import DataSplits, ImageDataset
    from pointillist.model.protocols import LikelihoodModel


@dataclass(frozen=True)
class _Images:
    """The images of a split, with the other splits, and how they were read."""

    name: str
    images: ImageDataset
    splits: DataSplits
    binarise: str


def evaluate(settings: EvaluateSettings) -> Facts:
    """Evaluate a model on images.

    Raises:
        PointillistError: naming what is wrong with a setting, the model or the images.
    """
    from pointillist.analysis.evaluation.likelihood import evaluate as evaluate_likelihood

    if settings.per_image is not None:
        reject_existing(settings.per_image, settings.force, ".csv")
    names = (settings.model, *settings.mixture)
    models = [open_scored_model(name, settings.device, settings.engine) for name in names]
    model, source = models[0], _read(models[0], settings)
    images = source.images
    ranked = rank_captions_of(model, images, settings)
    started = time.perf_counter()
    keywords: Facts = {name: getattr(settings, name) for name in ("order", "guidance", "batch_size", "engine", "text")}
    result = evaluate_likelihood(models if settings.mixture else model, images, **keywords)
    seconds = round(time.perf_counter() - started, 3)
    if settings.per_image is not None:
        result.write_csv(settings.per_image, images.files)
    floats = None if result.engine == "integer" else model.why_floats((images.spec.height, images.spec.width))
    about = {"model": settings.model, "data": settings.data, **describe(model, source, result), "why_floats": floats}
    written = None if settings.per_image is None else str(settings.per_image)
    return {**about, **_metrics(model, source, settings), **ranked, "seconds": seconds, "out": written}


def _read(model: LikelihoodModel, settings: EvaluateSettings, *, rejects: bool = False) -> _Images:
    from pointillist.model.folder.image_sources import limit_images, read_splits, resolve_data_options, select_split

    options = resolve_data_options(model, settings.data, settings.set, labels=not settings.no_labels)
    if rejects:
        options = item_options(options, settings.data, (model.image.height, model.image.width))
    splits = read_splits(model, settings.data, options)
    name, images = select_split(splits, settings.split)
    return _Images(name, limit_images(images, settings.max_images), splits, options.binarise)


def _metrics(model: LikelihoodModel, source: _Images, settings: EvaluateSettings) -> Facts:
    facts: Facts = condition_metrics(model, source.images, settings) if settings.condition_metrics else {}
    if settings.memorization:
        facts["memorization"] = memorization(model, source, settings.memorization)
    return facts | (_codec(source.images, settings) if settings.codec else {})


def _codec(images: ImageDataset, settings: EvaluateSettings) -> Facts:
    """Compress images without their labels, and compare the archive with the likelihood of its model."""
    from io import BytesIO

    from pointillist.compression.writer import ArchiveWriter

    levels = images.batch(range(len(images))).levels
    with ArchiveWriter(BytesIO(), settings.model, verify=False, largest=max(levels.shape[2:])) as archive:
        for each in levels:
            archive.add(each)
    bits = {"bits_per_dim": 8 * archive.bytes_written, "likelihood_bits_per_dim": archive.likelihood_bits}
    return {"codec": {name: value / levels.size for name, value in bits.items()}}


def describe(model: LikelihoodModel, source: _Images, evaluation: Evaluation) -> Facts:
    """Collect everything that is needed to compare the result with another."""
    images, split = source.images, source.name
    ours, theirs = model.image, images.spec
    sizes = f"images of {theirs.height}x{theirs.width}, where the model was trained on {ours.height}x{ours.width}"
    others = tuple(f"{name}: " for name in SPLITS if name != split)  # how another split was made
    notes = [note for note in evaluation.notes if not note.startswith(others)]
    notes += [sizes] if ours.shape != theirs.shape else []
    return {
        "split": split,
        **evaluation.to_dict(),
        "levels": ours.levels,
        "binarise": source.binarise,
        "labels": "used" if _labelled(model, images) else "not used" if model.classes else "none",
        "conditions": active_conditions(model, images),
        "notes": notes,
    }


def _labelled(model: LikelihoodModel, images: ImageDataset) -> bool:
    return bool(model.classes) and images.labels is not None


def active_conditions(model: LikelihoodModel, images: ImageDataset) -> list[str]:
    """List the conditions of the model that the data set has, by the name of the encoder."""
    inputs = model.conditions.from_batch(images.batch(range(min(len(images), 256))))
    return [name for name, value in inputs.parts.items() if bool(value.known.any())]


def condition_metrics(model: LikelihoodModel, images: ImageDataset, settings: EvaluateSettings) -> Facts:
    """Compute bits saved by each condition, Bayes classification and caption retrieval, as far as they apply.

    Under guidance, captions are also ranked without it, from the same passes of the network.
    """
    from pointillist.analysis.evaluation.conditioning import bayes_classify, conditional_gain
    from pointillist.files.arrays import plain

    reading: Facts = {name: getattr(settings, name) for name in ("batch_size", "guidance", "engine")}
    gains = conditional_gain(model, images, **reading)
    facts: Facts = {"bits_saved": plain(gains)}
    if _labelled(model, images):
        metrics, _ = bayes_classify(model, images, **reading)
        facts["classes"] = metrics.to_dict()
    return {**facts, **_caption_ranks(model, images, settings)}


def _caption_ranks(model: LikelihoodModel, images: ImageDataset, settings: EvaluateSettings) -> Facts:
    from pointillist.analysis.evaluation.captions import caption_retrieval

    if not settings.retrieval_repeats or model.conditions.reader("text") is None or images.texts is None:
        return {}
    candidates = min(settings.retrieval_candidates, len(set(images.texts)))
    if candidates < 2:
        return {}
    guidances = [settings.guidance] if settings.guidance == 1 else [settings.guidance, 1.0]
    keywords: Facts = {"candidates": candidates, "repeats": settings.retrieval_repeats}
    keywords["engine"] = settings.engine
    ranked = caption_retrieval(model, images, guidances=guidances, **keywords)
    names = ("caption_retrieval", "caption_retrieval_unguided")
    return {name: metrics.to_dict() for name, metrics in zip(names, ranked, strict=False)}


def memorization(model: LikelihoodModel, source: _Images, n: int) -> Facts:
    """Compare `n` samples with training images, and as many held-out images too.

    Raises:
        DataError: if there is no training part, or it is the part that is evaluated.
    """
    import numpy as np

    from pointillist.analysis.evaluation.memorization import nearest_training_match
    from pointillist.errors import DataError
    from pointillist.sampling.api import sample

    train, images = source.splits.get("train"), source.images
    if source.name in ("train", "all"):
        raise DataError(
            "`--memorization` compares samples and held-out images with training images: choose another `--split`."
        )
    training = train.batch(np.arange(len(train))).levels
    held_out = images.batch(np.random.default_rng(0).permutation(len(images))[:n]).levels
    out = {}
    for name, levels in (("samples", sample(model, n, seed=0).levels), ("held_out", held_out)):
        share = nearest_training_match(levels, training, model.image)[0]
        out[name] = {"count": len(share), "median": float(np.median(share)), "above_0.9": float((share >= 0.9).mean())}
    return out


def job(settings: EvaluateSettings) -> Work:
    """Evaluate images in tasks; one that cannot be read, or has another size, is rejected."""
    import numpy as np

    from pointillist.model.batches import BatchReader, EvaluationTask

    model = open_scored_model(settings.model, settings.device, settings.engine)
    source = _read(model, settings, rejects=True)
    images = source.images
    reader = BatchReader(model, images, None, settings.text, order=settings.order, engine=settings.engine)
    task = EvaluationTask(reader, settings.batch_size, settings.guidance)

    def compute(start: int, stop: int) -> Arrays:
        files = {} if images.files is None else {"path": np.array(images.files[start:stop], np.str_)}
        return {"nats": task.nats(start, stop).T.copy(), **files}

    return Work(
        count=len(images),
        batch_size=settings.batch_size,
        compute=compute,
        facts={"model": model_facts(model), "images": images.fingerprint, "split": source.name, **task.facts},
        files=images.files,
        skipped=images.skipped,
    )


def merge(facts: Facts, parts: Iterable[Arrays], out: Path) -> Facts:
    """Write the likelihood of each image of a job, as `evaluate --per-image` does."""
    import numpy as np

    from pointillist.analysis.evaluation.likelihood import Evaluation

    stored = list(parts)
    nats = np.concatenate([part["nats"] for part in stored]).T
    files = [name for part in stored for name in part.get("path", np.empty(0, np.str_)).tolist()]
    about = {name: facts[name] for name in ("dims", "orders", "order", "notes", "guidance", "engine", "split")}
    result = Evaluation.of_orders(nats, **about)
    result.write_csv(out, files or None)
    names = ("count", "split", "engine", "bits_per_dim", "nats", "dims")
    return {**{name: getattr(result, name) for name in names}, "interval_95": list(result.interval)}


def parse_captions(settings: EvaluateSettings) -> tuple[list[str] | None, list[float] | None]:
    """Collect the captions to rank, and numbers in proportion to their prior; None if there are none.

    Raises:
        ConfigError, DataError: if the file cannot be read, or the prior is not a list of numbers.
    """
    from pointillist.errors import ConfigError, quote

    texts = parse_texts(settings.captions, settings.captions_file, "captions")
    typed = settings.caption_prior
    if texts is None and typed is not None:
        raise ConfigError(f"`--caption-prior` (={quote(typed)}) needs captions: add `--captions`.")
    try:
        return texts, None if typed is None else [float(number) for number in typed.split(",")]
    except ValueError:
        raise ConfigError(
            f"`--caption-prior` (={quote(typed)}) must be a number for each caption, such as 2,1,1."
        ) from None


def rank_captions_of(model: LikelihoodModel, images: ImageDataset, settings: EvaluateSettings) -> Facts:
    """Rank captions for every image, and count how often each is the most probable; nothing without captions."""
    from pointillist.analysis.evaluation.captions import rank_images

    texts, prior = parse_captions(settings)
    if texts is None:
        return {}
    query: Facts = {"engine": settings.engine}
    if settings.order not in ("average", "each"):
        query["order"] = settings.order
    rankings = rank_images(
        model, images, texts, prior=prior, guidance=settings.guidance, batch_size=settings.batch_size, **query
    )
    first = Counter(ranking.texts[0] for ranking in rankings)
    rows = []
    for index, ranking in enumerate(rankings):
        file = {"file": images.files[index]} if images.files else {}
        rows.append({"index": index, **file, "captions": ranking.captions})
    facts: Facts = {"candidates": len(texts), "first": dict(first.most_common()), "images": rows}
    if images.texts is not None:
        pairs = [(text, ranking.texts[0]) for text, ranking in zip(images.texts, rankings, strict=True)]
        among = [text == best for text, best in pairs if text in texts]
        facts["captioned"] = {"count": len(among), "first": sum(among)}
    return {"captions_ranked": facts, "captions": rows[0]["captions"] if len(rows) == 1 else None}


def bench(settings: BenchSettings) -> Facts:
    """Time sampling by some engines; one that cannot run the model is skipped, with a note.

    Raises:
        ConfigError: if a number is wrong.
        EngineError: if no engine can run the model.
    """
    from pointillist.model.folder.opening import load_weights

    sizes = [part.strip() for part in settings.batch_sizes.split(",")]
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise ConfigError(f"`batch_sizes` (={settings.batch_sizes!r}) must be positive numbers, such as 1,16.")
    loaded, rows = load_weights(settings.model), list[Facts]()
    names = [part.strip() for part in settings.engines.split(",")]
    for engine in names:
        try:
            rows += [_timed(loaded, engine, n, settings.rounds) for n in map(int, sizes)]
        except EngineError as error:
            if engine == names[-1] and not rows:  # nothing was timed
                raise
            note(f"{engine} is skipped: {error}")
    return {"times": rows}


def _timed(model: Any, engine: str, n: int, rounds: int) -> Facts:
    first, *later = [_seconds(model, engine, n) for _ in range(rounds + 1)]
    return {"engine": engine, "n": n, "first_seconds": first, "ms_per_image": 1e3 * statistics.median(later) / n}


def _seconds(model: Any, engine: str, n: int) -> float:
    from pointillist.sampling.api import sample

    started = time.perf_counter()
    sample(model, n, seed=0, engine=engine)
    return time.perf_counter() - started
