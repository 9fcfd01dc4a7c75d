"""Captions that `evaluate` ranks for each image: which are given, and what is reported of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointillist.commands.measurement.settings import EvaluateSettings
from pointillist.commands.sampling.prompts import parse_texts

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.model.protocols import LikelihoodModel


@dataclass(frozen=True)
class Candidates:
    """Captions to rank, and numbers in proportion to their prior; None for a uniform one."""

    texts: list[str]
    prior: list[float] | None


def parse_captions(settings: EvaluateSettings, model: LikelihoodModel) -> Candidates | None:
    """Collect the captions to rank and their prior, and check that the model takes them; None if there are none.

    Raises:
        ConfigError, DataError: if a caption says nothing to the model, the file cannot be read, or the prior is not a
            list of numbers, one for each.
    """
    from pointillist.errors import ConfigError, quote

    texts = parse_texts(settings.captions, settings.captions_file, "captions")
    typed = settings.caption_prior
    if texts is None:
        if typed is not None:
            raise ConfigError(f"`--caption-prior` (={quote(typed)}) needs captions: add `--captions`.")
        return None
    try:
        prior = None if typed is None else [float(number) for number in typed.split(",")]
    except ValueError:
        raise ConfigError(
            f"`--caption-prior` (={quote(typed)}) must be a number for each caption, such as 2,1,1."
        ) from None
    from pointillist.analysis.evaluation.captions import check_captions

    check_captions(model, texts, prior)
    return Candidates(texts, prior)


def rank_captions_of(
    model: LikelihoodModel, images: ImageDataset, settings: EvaluateSettings, candidates: Candidates | None
) -> dict[str, Any]:
    """Rank captions for every image, and count how often each is the most probable; nothing without captions."""
    from pointillist.analysis.evaluation.captions import rank_images

    if candidates is None:
        return {}
    texts, prior = candidates.texts, candidates.prior
    query: dict[str, Any] = {"engine": settings.engine}
    if settings.order not in ("average", "each"):
        query["order"] = settings.order
    rankings = rank_images(
        model, images, texts, prior=prior, guidance=settings.guidance, batch_size=settings.batch_size, **query
    )
    first = Counter(ranking.texts[0] for ranking in rankings)
    rows = []
    for index, ranking in enumerate(rankings):
        file = {"file": images.files[index]} if images.files else {}
        rows.append({"index": index, **file, "captions": ranking.to_dict()["captions"]})
    facts: dict[str, Any] = {"candidates": len(texts), "first": dict(first.most_common()), "images": rows}
    if images.texts is not None:
        pairs = [(text, ranking.texts[0]) for text, ranking in zip(images.texts, rankings, strict=True)]
        among = [text == best for text, best in pairs if text in texts]
        facts["captioned"] = {"count": len(among), "first": sum(among)}
    return {"captions_ranked": facts, "captions": rows[0]["captions"] if len(rows) == 1 else None}
