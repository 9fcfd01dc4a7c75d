"""Open text encoders by name, and cache embeddings: in memory, and on disk for captions and for prompts."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pointillist.conditioning.text_encoders.universal_sentence_encoder import TextEncoder
from pointillist.errors import ConfigError, PointillistError, closest, quote

KINDS = ("use", "minilm", "clip")
CACHE = "POINTILLIST_CACHE"
MAX_PROMPTS = 100_000  # in memory: 200 MB of 512 numbers
MAX_STORED = 1_000_000  # on disk: 2 GB of 512 numbers
MAX_TOKENIZED = 10_000  # 150 MB of 10 tokens of 384 numbers
_WAIT_S = 2.0  # for another process that writes


@lru_cache(maxsize=8)
def open_encoder(name: str) -> TextEncoder:
    """Open an encoder: `use`, `minilm:FOLDER`, or `clip:FOLDER`. Open ones are kept.

    ```python
    open_encoder("use").encode("a red dragon").shape  # (512,)
    ```

    ```python
    open_encoder("use").size  # 512
    ```

    Raises:
        ConfigError: if there is no such encoder.
        MissingExtraError: if its package is not installed.
    """
    kind, _, rest = name.partition(":")
    if kind not in KINDS or (kind == "use" and rest):
        near = closest(kind, KINDS)
        hint = f"did you mean {near!r}? Choose" if near and near != kind else "choose"
        raise ConfigError(f"There is no text encoder {quote(name)}: {hint} use, minilm:FOLDER or clip:FOLDER.")
    return _use() if kind == "use" else _in_folder(name, kind, rest)


def _in_folder(name: str, kind: str, folder: str) -> TextEncoder:
    """Open the encoder of a folder, whose files may hold anything, and encode a word.

    Raises:
        ConfigError: if it cannot be opened, or gives no vector.
    """
    try:
        from pointillist.conditioning.text_encoders.local_folder import CLIPText, MiniLM

        encoder: TextEncoder = (MiniLM if kind == "minilm" else CLIPText)(folder)
        vector = encoder.encode("a")
        states = encoder.tokens("a") if encoder.token_size else vector
    except PointillistError:
        raise
    except Exception as error:  # the libraries that read the files raise dozens of kinds, by version and cause
        reason = (str(error).splitlines() or [""])[0][:120].rstrip(".") or type(error).__name__
        raise ConfigError(f"The text encoder {name!r} cannot be read ({reason}): download it again.") from error
    if vector.shape != (encoder.size,) or not (np.isfinite(vector).all() and np.isfinite(states).all()):
        raise ConfigError(f"The text encoder {name!r} gives no vector of finite numbers: download it again.")
    return encoder


def _use() -> TextEncoder:
    from pointillist.conditioning.text_encoders.universal_sentence_encoder import UniversalSentenceEncoder

    return UniversalSentenceEncoder()


class EmbeddingCache:
    """Cache of text embeddings, keyed by normalized text: spacing and capitals do not matter.

    A text is encoded when it is first needed, so a run starts at once, however many captions it has.

    ```python
    EmbeddingCache(open_encoder("use"))(["a red dragon", "a blue slime"]).shape  # (2, 512)
    ```
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self._known: dict[str, np.ndarray] = dict(encoder.tabled)
        self._tokens: dict[str, np.ndarray] = {}
        self._kept: set[str] = set()
        self._store = EmbeddingStore(cache_folder() / "embeddings" / f"{encoder.fingerprint[:32]}.sqlite", encoder.size)

    def __call__(self, texts: Iterable[str]) -> np.ndarray:
        """Encode texts as vectors `float32 [n size]`, or look them up."""
        cleaned = [normalize_text(text) for text in texts]
        if len(self._known) > MAX_PROMPTS:
            self._known = dict(self.encoder.tabled)
        kept = [text for text in dict.fromkeys(cleaned) if text in self._kept and text not in self._known]
        self._known.update(self._store.read(kept))
        new = {text: self.encoder.encode(text) for text in dict.fromkeys(cleaned) if text not in self._known}
        self._known.update(new)
        if stored := {text: vector for text, vector in new.items() if text in self._kept}:
            self._store.write(stored)
        return np.stack([self._known[text] for text in cleaned]) if cleaned else np.zeros((0, self.encoder.size))

    def keep(self, texts: Iterable[str]) -> None:
        """Keep the vectors of these texts on disk once they are encoded, for other processes; none is encoded now.

        Variants of captions that a run draws at random are not kept: they do not come again.
        """
        self._kept.update(normalize_text(text) for text in texts)

    def tokens(self, text: str) -> np.ndarray:
        """Encode the tokens of a text as states `float32 [t d]`, for an encoder that has them."""
        text = normalize_text(text)
        if len(self._tokens) > MAX_TOKENIZED:
            self._tokens.clear()
        if text not in self._tokens:
            self._tokens[text] = self.encoder.tokens(text)
        return self._tokens[text]


@lru_cache(maxsize=8)
def embedding_cache(encoder: str, fingerprint: str) -> EmbeddingCache:
    """Open the embedding cache of an encoder, if it is the one that a model was trained with.

    ```python
    embedding_cache(config.frozen, config.fingerprint)(["a red dragon"]).shape  # (1, 512)
    ```

    Raises:
        ConfigError: if its weights are others.
    """
    opened = open_encoder(encoder)
    if opened.fingerprint != fingerprint:
        raise ConfigError(
            f"The text encoder {encoder!r} installed here (weights {opened.fingerprint[:8]}) is not the one this "
            f"model was trained with ({fingerprint[:8]}): install that one, or train with this one."
        )
    return EmbeddingCache(opened)


@dataclass(frozen=True)
class EmbeddingStore:
    """Vectors of texts in a database, shared by processes and threads.

    A database that cannot be read or written, or is damaged, costs time and nothing else: texts are encoded again.

    Attributes:
        path: the file; it is made when the first vector is written.
        size: numbers of a vector.
    """

    path: Path
    size: int

    def read(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        result: dict[str, np.ndarray] = {}
        if not self.path.is_file():
            return result
        with suppress(sqlite3.Error, OSError), closing(self._open()) as database:
            for text in texts:
                row = database.execute("SELECT value FROM vectors WHERE key = ?", [_key(text)]).fetchone()
                if row is None or not isinstance(row[0], bytes) or len(row[0]) != 4 * self.size:
                    continue
                vector = np.frombuffer(row[0], np.float32)
                if np.isfinite(vector).all():
                    result[text] = vector
        return result

    def write(self, vectors: Mapping[str, np.ndarray]) -> None:
        """Store vectors, as long as the database is not full."""
        rows = [(_key(text), np.asarray(vector, np.float32).tobytes()) for text, vector in vectors.items()]
        with suppress(sqlite3.Error, OSError):  # a busy database, a full or read-only disk: costs time, not the run
            try:
                self._insert(rows)
            except sqlite3.OperationalError:
                pass
            except sqlite3.DatabaseError:  # no database, or a damaged one: a new one
                self.path.unlink()
                self._insert(rows)

    def _insert(self, rows: list[tuple[bytes, bytes]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._open()) as database, database:
            database.execute("PRAGMA page_size = 16384")  # holds several vectors; of a new file only
            database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB UNIQUE, value BLOB)")
            if (database.execute("SELECT MAX(rowid) FROM vectors").fetchone()[0] or 0) < MAX_STORED:
                database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=_WAIT_S)
        database.execute("PRAGMA synchronous = OFF")  # what a power cut loses is encoded again
        return database


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


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
