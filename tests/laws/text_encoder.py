"""A stand-in for the frozen text encoder, so that models with one take prompts where its package is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pointillist.conditioning import TextConfig, embedding_cache
from pointillist.conditioning.text_encoders import cache
from pointillist.conditioning.text_encoders.universal_sentence_encoder import TextEncoder

from .strategies import replaced


class RandomTextEncoder(TextEncoder):
    """Encode a prompt as random numbers that depend on the prompt alone."""

    name = "use"

    def __init__(self, config: TextConfig) -> None:
        self.size, self.token_size, self.fingerprint = config.size, config.token_size, config.fingerprint

    def encode(self, text: str) -> np.ndarray:
        """See `TextEncoder.encode`."""
        vector = np.random.default_rng(list(text.encode())).standard_normal(self.size)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def tokens(self, text: str) -> np.ndarray:
        """See `TextEncoder.tokens`."""
        states = [
            np.random.default_rng([i, *word.encode()]).standard_normal(self.token_size)
            for i, word in enumerate(text.split())
        ]
        return np.stack(states).astype(np.float32)


@contextmanager
def random_text_encoder(config: TextConfig | None) -> Iterator[None]:
    """Use `RandomTextEncoder` for models with this text condition, for the length of a block.

    Its vectors are kept in a folder of their own: it has the fingerprint of the real encoder, whose they are not.
    """
    if config is None or not config.encoder:
        yield
        return
    encoder = RandomTextEncoder(config)
    with (
        TemporaryDirectory() as folder,
        replaced(cache, "cache_folder", lambda: Path(folder)),
        replaced(cache, "_use", lambda: encoder),
    ):
        _forget()
        try:
            yield
        finally:
            _forget()


def _forget() -> None:
    cache.open_encoder.cache_clear()
    embedding_cache.cache_clear()
