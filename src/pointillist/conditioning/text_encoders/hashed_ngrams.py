"""Hashed words and n-grams of their characters (Bojanowski et al. 2017), for learned text.

There is no vocabulary, so no word is unknown.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pointillist.conditioning.text_encoders.cache import normalize_text

PAD = -1
NgramKind = Literal["characters", "words"]


def hash_ngrams(text: str, buckets: int, length: int, grams: Sequence[int] = (3, 4, 5)) -> np.ndarray:
    """Hash each word and the n-grams of its characters into buckets, `int64 [length]`; `PAD` fills the rest.

    A word is marked at both ends, so that "cat" at its start is another n-gram than inside it. CRC-32 puts a feature
    into its bucket on every computer.

    ```python
    hash_ngrams("a red dragon", buckets=4096, length=96).shape  # (96,)
    ```
    """
    return _buckets(_features(re.findall(r"\w+", normalize_text(text)), grams), buckets, length)


def hash_words(text: str, buckets: int, length: int) -> np.ndarray:
    """Hash the words into buckets, in their order, `int64 [length]`; `PAD` fills the rest.

    ```python
    hash_words("a red cat on a red sofa", buckets=4096, length=32).shape  # (32,)
    ```
    """
    return _buckets(re.findall(r"\w+", normalize_text(text)), buckets, length)


def hash_ngrams_per_word(
    text: str, buckets: int, words: int, pieces: int, grams: Sequence[int] = (3, 4, 5)
) -> np.ndarray:
    """Hash each word with its n-grams into its own row, `int64 [words pieces]`.

    ```python
    hash_ngrams_per_word("a red dragon", buckets=4096, words=16, pieces=24).shape  # (16, 24)
    ```
    """
    result = re.findall(r"\w+", normalize_text(text))[:words]
    rows = [_buckets(_features([word], grams), buckets, pieces) for word in result]
    return np.stack(rows + [np.full(pieces, PAD)] * (words - len(rows)))


def _features(words: Sequence[str], grams: Sequence[int]) -> list[str]:
    """List words, then their pieces, each once: the end is cut off."""
    marked = [f"<{word}>" for word in words]
    pieces = (f"#{each[i : i + n]}" for each in marked for n in grams for i in range(len(each) - n + 1))
    return list(dict.fromkeys([*words, *pieces]))


def _buckets(features: Sequence[str], buckets: int, length: int) -> np.ndarray:
    numbers = [zlib.crc32(feature.encode()) % buckets for feature in features[:length]]
    return np.array(numbers + [PAD] * (length - len(numbers)), np.int64)
