"""The opponent of a model that paints from text: what pictures of similar captions already tell, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from pointillist.data import ImageDataset
from pointillist.errors import ConfigError
from pointillist.fidelity import Ranking, rank_captions
from pointillist.text import CaptionLikeness, Nearest, Prompts, open_encoder, places_of

TIE = 1e-6  # captions that share their best image are told apart by the mean of all of theirs


def rank_by_neighbours(
    train: ImageDataset,
    data: ImageDataset,
    *,
    candidates: int = 50,
    draws: int = 1,
    seed: int = 0,
    neighbours: int = 5,
    on_progress: Callable[[int, int], None] | None = None,
) -> Ranking:
    """Rank the caption of each image as `fidelity.rank_texts` does, among the same others, by training images alone.

    A caption is scored by its nearest training captions (cosine of sentence vectors, plus the share of words and
    n-grams that both have): the best agreement, pixel by pixel, of any of their images with the image at hand.

    Raises:
        ConfigError, DataError: if a part has no captions, or too few.
    """
    if train.texts is None or data.texts is None:
        raise ConfigError("Ranking captions needs images with captions: one of the two parts has none.")
    nearest = _Nearest(train, neighbours)
    known = train.batch(np.arange(len(train))).levels.to(torch.int32)
    agreeing: dict[int, np.ndarray] = {}

    def scores(i: int, asked: Sequence[str]) -> np.ndarray:
        if i not in agreeing:
            agreeing.clear()
            same = (known == data.batch([i]).levels.to(torch.int32)).all(1).flatten(1)
            agreeing[i] = same.sum(1).numpy() / same.shape[1]
        found = [agreeing[i][nearest.images(text)] for text in asked]
        return np.array([near.max() + TIE * near.mean() for near in found])

    return rank_captions(scores, data, candidates, draws, seed, on_progress)[0]


class _Nearest:
    """Training images whose captions are nearest to a text."""

    def __init__(self, train: ImageDataset, neighbours: int) -> None:
        assert train.texts is not None
        rows = places_of(train.texts)
        captions = sorted(rows)
        self.rows = [rows[caption] for caption in captions]
        self.nearest = Nearest(CaptionLikeness(captions, Prompts(open_encoder("use"))))
        self.neighbours = neighbours

    def images(self, text: str) -> np.ndarray:
        """Their places in the training part."""
        return np.concatenate([self.rows[int(i)] for i in self.nearest(text, self.neighbours)])
