"""What turns a prompt into numbers: one small protocol, and where its makers are found."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np

from pointillist.errors import ConfigError


@runtime_checkable
class TextEncoder(Protocol):
    """A frozen encoder of prompts.

    ```python
    encoder.encode("a red dragon").shape  # (512,)
    ```

    Attributes:
        name: how to open it again.
        size: numbers of a vector.
    """

    name: str
    size: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its weights: with another one a model would read another language."""

    def encode(self, text: str) -> np.ndarray:
        """The vector `float32 [size]` of one prompt, of length 1. It does not depend on other prompts."""


@runtime_checkable
class TokenEncoder(TextEncoder, Protocol):
    """One that also gives a state of each token.

    ```python
    encoder.tokens("a red dragon").shape  # (5, 384): three words between two marks
    ```

    Attributes:
        token_size: numbers of a state.
    """

    token_size: int

    def tokens(self, text: str) -> np.ndarray:
        """States `float32 [t token_size]` of a prompt's tokens, in their order."""


@lru_cache(maxsize=8)
def open_encoder(name: str) -> TextEncoder:
    """The encoder called `name`: `use`, `minilm:FOLDER`, or `clip:FOLDER`.

    ```python
    open_encoder("use").size  # 512
    ```

    Raises:
        ConfigError: if there is no such encoder.
        MissingExtraError: if its package is not installed.
    """
    kind, _, rest = name.partition(":")
    makers: dict[str, Callable[[], TextEncoder]] = {
        "use": _use,
        "minilm": lambda: _minilm(rest),
        "clip": lambda: _clip(rest),
    }
    if kind not in makers or (kind == "use" and rest):
        raise ConfigError(f"There is no text encoder {name!r}: choose use, minilm:FOLDER or clip:FOLDER.")
    return makers[kind]()


def _use() -> TextEncoder:
    from pointillist.conditioning.text_encoders.universal_sentence_encoder import UniversalSentenceEncoder

    return UniversalSentenceEncoder()


def _minilm(folder: str) -> TextEncoder:
    from pointillist.conditioning.text_encoders.minilm import MiniLM

    return MiniLM(folder)


def _clip(folder: str) -> TextEncoder:
    from pointillist.conditioning.text_encoders.clip import CLIPText

    return CLIPText(folder)
