"""Protocols of text encoders, and the function that opens one by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np

from pointillist.errors import ConfigError, PointillistError, closest, quote

KINDS = ("use", "minilm", "clip")


@runtime_checkable
class TextEncoder(Protocol):
    """A frozen encoder of prompts.

    ```python
    encoder.encode("a red dragon").shape  # (512,)
    ```

    Attributes:
        name: the name under which `open_encoder` opens it.
        size: numbers in a vector.
    """

    name: str
    size: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights: vectors of other weights mean nothing to a model."""

    def encode(self, text: str) -> np.ndarray:
        """Encode one prompt as a vector `float32 [size]` of length 1, which does not depend on other prompts."""


@runtime_checkable
class TokenEncoder(TextEncoder, Protocol):
    """A text encoder with a state for each token, for cross-attention.

    ```python
    encoder.tokens("a red dragon").shape  # (5, 384): three words between two marks
    ```

    Attributes:
        token_size: numbers in a state.
    """

    token_size: int

    def tokens(self, text: str) -> np.ndarray:
        """Encode the tokens of a prompt as states `float32 [t token_size]`, in their order."""


@runtime_checkable
class TabledEncoder(TextEncoder, Protocol):
    """A text encoder with vectors of some prompts that it need not compute.

    Attributes:
        tabled: vectors by normalized text.
    """

    @property
    def tabled(self) -> Mapping[str, np.ndarray]: ...


@runtime_checkable
class WordEncoder(TextEncoder, Protocol):
    """A text encoder with a vocabulary of frequent words."""

    def is_word(self, text: str) -> bool:
        """Return True for a word of the vocabulary."""


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
        states = encoder.tokens("a") if isinstance(encoder, TokenEncoder) else vector
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
