"""`evaluate --retrieval` and `--copies`: what conditions are worth, and whether samples are copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointillist.cli.output import Bar
from pointillist.conditioning import TextConfig

if TYPE_CHECKING:
    from pointillist.data import DataSplits, ImageDataset
    from pointillist.evaluation.conditioning import MeanWithCI, RetrievalMetrics
    from pointillist.model.pixel_model import PixelModel


def condition_metrics(
    model: PixelModel,
    images: ImageDataset,
    candidates: int,
    draws: int,
    batch_size: int,
    guidance: float = 1.0,
) -> dict[str, Any]:
    """Bits an image that each condition saves; classes by Bayes' rule; the true caption among others.

    Under guidance, captions are ranked by the model itself as well, which costs nothing.
    """
    from pointillist.evaluation.conditioning import bayes_classify, conditional_gain, rank_texts_under

    facts: dict[str, Any] = {}
    with Bar("saving", len(images)) as bar:
        saved = conditional_gain(model, images, batch_size=batch_size, guidance=guidance, on_progress=bar.follow)
    facts["bits_saved"] = {name: _share(share) for name, share in saved.items()}
    if model.config.classes and images.labels is not None:
        with Bar("classifying", len(images)) as bar:
            ranking, _ = bayes_classify(model, images, batch_size=batch_size, guidance=guidance, on_progress=bar.follow)
        facts["classes"] = _ranking(ranking)
    if draws and model.config.condition(TextConfig) is not None and images.texts is not None:
        fitting = min(candidates, len(set(images.texts)))
        if fitting > 1:
            how = {"candidates": fitting, "draws": draws}
            guidances = [guidance] if guidance == 1 else [guidance, 1.0]
            with Bar("ranking", len(images)) as bar:
                ranked = rank_texts_under(model, images, guidances, on_progress=bar.follow, **how)
            for what, ranking in zip(("captions", "captions_by_model_itself"), ranked, strict=False):
                facts[what] = _ranking(ranking)
    return facts


def copies(model: PixelModel, splits: DataSplits, images: ImageDataset, split: str, n: int) -> dict[str, Any]:
    """How near `n` samples come to training images, against how near images that were held out come.

    Raises:
        DataError: if there is no training part, or it is the one that is measured.
    """
    import numpy as np

    from pointillist.errors import DataError
    from pointillist.evaluation.conditioning import nearest_training_match
    from pointillist.sampling.api import sample

    train = splits.get("train")
    if split in ("train", "all"):
        raise DataError(
            "`--copies` compares samples and held-out images with training images: choose another `--split`."
        )
    known = train.batch(np.arange(len(train))).levels
    held = images.batch(np.random.default_rng(0).permutation(len(images))[:n]).levels
    near = {}
    for name, levels in (("samples", sample(model, n, seed=0).levels), ("held_out", held)):
        with Bar("comparing", len(levels)) as bar:
            near[name] = nearest_training_match(levels, known, model.image, bar.follow)[0]
    return {
        name: {"count": len(found), "median": float(np.median(found)), "above_0.9": float((found >= 0.9).mean())}
        for name, found in near.items()
    }


def lines_of(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The same for people."""
    lines = []
    for name, share in facts.get("bits_saved", {}).items():
        low, high = share["interval_95"]
        lines.append((f"saved by {name}", f"{share['value']:.2f} bits an image (95 % {low:.2f} to {high:.2f})"))
    if facts.get("worth_in") == "bf16":
        lines.append(("", "these and what follows are computed in bf16"))
    others = {
        "captions_by_model_itself": ("by the model itself", "without guidance"),
    }
    for what in ("classes", "captions", *others):
        if what in facts:
            found = facts[what]
            if what in others:
                lines.append(others[what])
                what = "captions"
            first, five, mean = (_percent(found[key]) for key in ("top1", "top5", "mrr"))
            lines.append((f"{what} ranked", f"first {first}, in five {five}, of {found['candidates']}"))
            lines.append(("", f"mean reciprocal rank {mean}; chance of the first {1 / found['candidates']:.3f}"))
    for name, near in facts.get("copies", {}).items():
        text = f"median {near['median']:.3f} agree, {near['above_0.9']:.3f} at 0.9 or more ({near['count']:,} images)"
        lines.append((f"{name.replace('_', ' ')} to train", text))
    return lines


def _percent(share: dict[str, Any]) -> str:
    low, high = share["interval_95"]
    return f"{share['value']:.3f} ({low:.3f} to {high:.3f})"


def _share(share: MeanWithCI) -> dict[str, Any]:
    return {"value": share.value, "interval_95": list(share.interval), "count": share.count}


def _ranking(ranking: RetrievalMetrics) -> dict[str, Any]:
    return {
        "top1": _share(ranking.top1),
        "top5": _share(ranking.top5),
        "mrr": _share(ranking.mrr),
        "candidates": ranking.candidates,
    }
