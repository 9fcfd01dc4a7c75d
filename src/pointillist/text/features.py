"""Words and pieces of words as numbers, for text that is learned with the model: no vocabulary, so no unknown word."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from pointillist.text.prompts import clean

NOTHING = -1


def features(text: str, buckets: int, length: int, grams: Sequence[int] = (3, 4, 5)) -> np.ndarray:
    """Bucket of each word and of each of its character n-grams, `int64 [length]`; `NOTHING` fills the rest.

    A word is marked at both ends, so that "cat" at its start is another n-gram than inside it. CRC-32 puts a feature
    into its bucket on every machine alike.
    """
    found: list[str] = []
    words = re.findall(r"\w+", clean(text))
    found += words  # first, as the end is cut off
    for word in words:
        marked = f"<{word}>"
        for n in grams:
            found += [f"#{marked[i : i + n]}" for i in range(len(marked) - n + 1)]
    numbers = [zlib.crc32(feature.encode()) % buckets for feature in dict.fromkeys(found)][:length]
    return np.array(numbers + [NOTHING] * (length - len(numbers)), np.int64)
