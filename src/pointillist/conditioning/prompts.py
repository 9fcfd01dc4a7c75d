"""Prompts: validation, and the cached embeddings of a frozen text encoder."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pointillist.conditioning.text_encoders import EmbeddingCache, open_encoder
from pointillist.errors import ConfigError, ShapeError, quote
from pointillist.text_files import check_texts


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


def parse_prompts(value: Any, count: int) -> list[str] | None:
    """Parse prompts of `count` images: one for all or one each; None, and "" for an image, is no prompt.

    ```python
    parse_prompts("a red dragon", 2)  # ["a red dragon", "a red dragon"]
    ```

    Raises:
        ConfigError: if they are not strings.
        ShapeError: if there are neither one nor `count` of them.
    """
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else list(value)
    for text in texts:
        if not isinstance(text, (str, type(None))):
            raise ConfigError(f"`text` (={quote(text)}) must be a string, or one for each image.")
    if len(texts) not in (1, count):
        raise ShapeError(f"{len(texts)} texts do not fit {count} images: give one text, or one for each image.")
    filled = [text or "" for text in texts]
    check_texts(filled, "`text`")
    return filled * count if len(filled) == 1 else filled
