"""Cache of text embeddings: in memory, and in a file for the prompts of a command or the captions of a data set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from pointillist.checkpoint.files import atomic_path
from pointillist.conditioning.text_encoders.base import TextEncoder, TokenEncoder

CACHE = "POINTILLIST_CACHE"
MAX_PROMPTS = 100_000  # in memory: 200 MB of 512 numbers
MAX_TOKENIZED = 10_000  # 150 MB of 10 tokens of 384 numbers


class EmbeddingCache:
    """Cache of text embeddings, keyed by normalized text: spacing and capitals do not matter.

    ```python
    EmbeddingCache(open_encoder("use"))(["a red dragon", "a blue slime"]).shape  # (2, 512)
    ```
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self._known: dict[str, np.ndarray] = {}
        self._tokens: dict[str, np.ndarray] = {}

    def __call__(self, texts: Iterable[str]) -> np.ndarray:
        """Encode texts as vectors `float32 [n size]`."""
        cleaned = [normalize_text(text) for text in texts]
        if len(self._known) > MAX_PROMPTS:
            self._known.clear()
        for text in cleaned:
            if text not in self._known:
                self._known[text] = self.encoder.encode(text)
        return np.stack([self._known[text] for text in cleaned]) if cleaned else np.zeros((0, self.encoder.size))

    def tokens(self, text: str) -> np.ndarray:
        """Encode the tokens of a text as states `float32 [t d]`, for an encoder that has them."""
        assert isinstance(self.encoder, TokenEncoder)
        text = normalize_text(text)
        if len(self._tokens) > MAX_TOKENIZED:
            self._tokens.clear()
        if text not in self._tokens:
            self._tokens[text] = self.encoder.tokens(text)
        return self._tokens[text]

    def prepare(self, texts: Iterable[str]) -> None:
        """Fill the cache with the vectors of texts, from a file if they were encoded before.

        Even one text gets a file: opening an encoder takes a second, encoding a text 2 ms.
        """
        distinct = sorted({normalize_text(text) for text in texts} - self._known.keys())
        if not distinct:
            return
        vectors = self._read_or_encode(distinct)
        self._known.update(zip(distinct, vectors, strict=True))

    def _read_or_encode(self, texts: list[str]) -> np.ndarray:
        """Read vectors from a file, or encode them and write it."""
        key = hashlib.sha256("\n".join([self.encoder.fingerprint, *texts]).encode())
        path = cache_folder() / "prompts" / f"{key.hexdigest()}.npy"
        vectors = _read(path, (len(texts), self.encoder.size))
        if vectors is None:
            vectors = self(texts)
            with suppress(OSError):  # a full or read-only disk costs time, not the run
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.save(file, vectors)
        return vectors


def normalize_text(text: str) -> str:
    """Normalize to lower case and single spaces.

    ```python
    normalize_text("A  red Dragon")  # "a red dragon"
    ```
    """
    return " ".join(text.lower().split())


def cache_folder() -> Path:
    """Folder of files that can be made again: `POINTILLIST_CACHE`, or the user's cache."""
    chosen = os.environ.get(CACHE)
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(chosen) if chosen else (Path(base) if base else Path.home() / ".cache") / "pointillist"


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Read the vectors of a file; None if it is missing or damaged."""
    try:
        vectors: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.shape == shape and vectors.dtype == np.float32 and np.isfinite(vectors).all() else None
