"""Hashed words and character n-grams (Bojanowski et al. 2017), for text learned with the model.

There is no vocabulary, so no word is unknown.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from pointillist.conditioning.text_encoders.cache import normalize_text

PAD = -1


def hash_ngrams(text: str, buckets: int, length: int, grams: Sequence[int] = (3, 4, 5)) -> np.ndarray:
    """Hash each word and its character n-grams into buckets, `int64 [length]`; `PAD` fills the rest.

    A word is marked at both ends, so that "cat" at its start is another n-gram than inside it. CRC-32 puts a feature
    into its bucket on every computer.

    ```python
    hash_ngrams("a red dragon", buckets=4096, length=96).shape  # (96,)
    ```
    """
    words = re.findall(r"\w+", normalize_text(text))  # first, as the end is cut off
    return _buckets([*words, *(piece for word in words for piece in _pieces(word, grams))], buckets, length)


def hash_ngrams_per_word(
    text: str, buckets: int, words: int, pieces: int, grams: Sequence[int] = (3, 4, 5)
) -> np.ndarray:
    """Hash each word with its n-grams into its own row, `int64 [words pieces]`.

    ```python
    hash_ngrams_per_word("a red dragon", buckets=4096, words=16, pieces=24).shape  # (16, 24)
    ```
    """
    result = re.findall(r"\w+", normalize_text(text))[:words]
    rows = [_buckets([word, *_pieces(word, grams)], buckets, pieces) for word in result]
    return np.stack(rows + [np.full(pieces, PAD)] * (words - len(rows)))


def _pieces(word: str, grams: Sequence[int]) -> list[str]:
    marked = f"<{word}>"
    return [f"#{marked[i : i + n]}" for n in grams for i in range(len(marked) - n + 1)]


def _buckets(result: Sequence[str], buckets: int, length: int) -> np.ndarray:
    numbers = [zlib.crc32(feature.encode()) % buckets for feature in dict.fromkeys(result)][:length]
    return np.array(numbers + [PAD] * (length - len(numbers)), np.int64)
