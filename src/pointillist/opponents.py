"""The opponent of a model that paints from text: what pictures of similar captions already tell, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from pointillist.data import ImageDataset
from pointillist.errors import ConfigError
from pointillist.fidelity import Ranking, rank_captions
from pointillist.text import NOTHING, Prompts, features, open_encoder

BUCKETS, LENGTH = 4096, 96
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

    return rank_captions(scores, data, candidates, draws, seed, on_progress)


class _Nearest:
    """Training images whose captions are nearest to a text."""

    def __init__(self, train: ImageDataset, neighbours: int) -> None:
        assert train.texts is not None
        self.captions = sorted(set(train.texts))
        self.rows = {caption: np.flatnonzero(np.array(train.texts) == caption) for caption in self.captions}
        self.neighbours = neighbours
        self.prompts = Prompts(open_encoder("use"))
        self.prompts.prepare(self.captions)
        self.vectors, self.pieces = self.prompts(self.captions), np.stack([_pieces(c) for c in self.captions])
        self._found: dict[str, np.ndarray] = {}

    def images(self, text: str) -> np.ndarray:
        """Their places in the training part."""
        if text not in self._found:
            both = self.pieces @ _pieces(text)
            either = self.pieces.sum(1) + _pieces(text).sum() - both
            similar = self.vectors @ self.prompts([text])[0] + both / np.maximum(either, 1)
            best = np.argsort(-similar, kind="stable")[: self.neighbours]
            self._found[text] = np.concatenate([self.rows[self.captions[int(i)]] for i in best])
        return self._found[text]


def _pieces(text: str) -> Float[np.ndarray, " buckets"]:
    """1 for each bucket that a word or n-gram of the text is in."""
    found, numbers = np.zeros(BUCKETS, np.float32), features(text, BUCKETS, LENGTH)
    found[numbers[numbers != NOTHING]] = 1
    return found
