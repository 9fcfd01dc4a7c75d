"""The captions nearest to a text: by sentence vectors, and by the words and n-grams that both have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int

from pointillist.text.features import NOTHING, features
from pointillist.text.prompts import Prompts

BUCKETS, LENGTH = 4096, 96
MAX_KEPT = 100_000  # texts whose neighbours are kept


class Nearest:
    """Finds what is most like a text, and keeps it for when the text is asked for again.

    Args:
        likeness: how like a text each thing is; more is nearer.
    """

    def __init__(self, likeness: Callable[[str], Float[np.ndarray, " n"]]) -> None:
        self.likeness = likeness
        self._found: dict[tuple[str, int], np.ndarray] = {}

    def __call__(self, text: str, count: int) -> Int[np.ndarray, " m"]:
        """Places of the `count` nearest, the nearest first; fewer where there are fewer."""
        key = (text, count)
        if key not in self._found:
            if len(self._found) >= MAX_KEPT:
                self._found.clear()
            self._found[key] = np.argsort(-self.likeness(text), kind="stable")[:count]
        return self._found[key]


class CaptionLikeness:
    """How like a text some distinct captions are.

    Likeness is the cosine of the vectors, plus the share of words and n-grams that both have of those that either has
    (Jaccard).

    Args:
        captions: what is searched.
        prompts: vectors of length 1; None to compare words and n-grams alone.
    """

    def __init__(self, captions: Sequence[str], prompts: Prompts | None) -> None:
        self.captions, self.prompts = list(captions), prompts
        self._has = np.zeros((BUCKETS, len(self.captions)), np.uint8)
        for column, caption in enumerate(self.captions):
            self._has[pieces(caption), column] = 1
        self._count = self._has.sum(0, dtype=np.int64)
        self._vectors = None if prompts is None else prompts.to_search(self.captions)

    def __call__(self, text: str) -> Float[np.ndarray, " n"]:
        """Of each caption; more is nearer."""
        own = pieces(text)
        both = self._has[own].sum(0, dtype=np.int64)
        alike = (both / np.maximum(self._count + len(own) - both, 1)).astype(np.float32)
        if self.prompts is not None and self._vectors is not None:
            alike = alike + self._vectors @ self.prompts([text])[0]
        found: np.ndarray = alike
        return found


def places_of(texts: Iterable[str]) -> dict[str, list[int]]:
    """Where each distinct text stands, in the order in which they first come."""
    found: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        found.setdefault(text, []).append(place)
    return found


def pieces(text: str) -> Int[np.ndarray, " buckets"]:
    """The buckets that words and n-grams of the text are in, each once."""
    numbers = features(text, BUCKETS, LENGTH)
    found: np.ndarray = np.unique(numbers[numbers != NOTHING])
    return found
