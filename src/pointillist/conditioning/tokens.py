"""Tokens of prompts without torch: learned words, or the states of a frozen encoder, in fixed point.

A token is a number of features in steps of 2^-18 (`portable.py`). The first one stands before every prompt,
and alone for an unknown one. The states of a frozen encoder are an input: it computes them in floating point.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import BITS, Integers, Name, StoredEncoder, StoredWeights, from_fixed, to_fixed
from pointillist.conditioning.prompts import PAD, WINDOW, FrozenReader, PromptReader, TextFeatures, hash_ngrams_per_word
from pointillist.files.arrays import Array, ArrayReader

EPSILON = 1e-5 * 4.0**BITS
"""What torch adds to the variance of a state, in its steps."""


@dataclass(frozen=True)
class WordReader(PromptReader):
    """Hash each word of prompts, with its n-grams, into buckets.

    ```python
    WordReader(4096, 16, 24).look_up(["a red dragon"]).known.sum()  # 3 words
    ```

    Attributes:
        buckets: number of buckets.
        num_tokens: words that are read of a prompt.
        length: buckets of a word.
    """

    buckets: int
    num_tokens: int
    length: int

    def look_up(self, prompts: Sequence[str], *, keep: bool = True) -> MaskedValue:
        """Return buckets `[n, tokens, length]` with `PAD`, and which words there are, `[n, tokens]`."""
        rows = [hash_ngrams_per_word(text, self.buckets, self.num_tokens, self.length) for text in prompts]
        values = np.stack(rows) if rows else np.full((0, self.num_tokens, self.length), PAD)
        return MaskedValue(values, (values != PAD).any(2))


@dataclass(frozen=True)
class StateReader(FrozenReader):
    """Look up the states of the first tokens of prompts, of a frozen encoder.

    ```python
    StateReader("minilm:FOLDER", fingerprint, 32, 384).look_up(["a red dragon"]).values.shape  # (1, 32, 384)
    ```

    Attributes:
        num_tokens: tokens that are read of a prompt.
        size: numbers of a state.
    """

    num_tokens: int
    size: int

    def look_up(self, prompts: Sequence[str], *, keep: bool = True) -> MaskedValue:
        """Return states `[n, tokens, size]`, and which tokens there are.

        Raises:
            ConfigError: if the frozen encoder that is installed has other weights.
        """
        values = np.zeros((len(prompts), self.num_tokens, self.size), np.float32)
        known = np.zeros(values.shape[:2], bool)
        for image, text in enumerate(prompts):
            if text.strip():
                states = self.vectors.tokens(text)[: self.num_tokens]
                values[image, : len(states)], known[image, : len(states)] = states, True
        return MaskedValue(values, known)


class StoredTokens(StoredEncoder):
    """JSON values of an encoder of tokens."""

    kind: Literal["words", "states"]
    encoder: Name
    fingerprint: Name
    num_tokens: Annotated[int, Field(ge=1, le=1024)]
    length: Annotated[int, Field(ge=0, le=1024)]


class TokenFeatures(TextFeatures):
    """An encoder of prompts as tokens; its weights have `start`, the first token, too."""

    key: ClassVar[str] = "tokens"
    stored: ClassVar[dict[str, str | int]] = {"encoder": "", "fingerprint": "", "num_tokens": 0, "length": 0}

    def features(self, values: Array, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Compute 1 or 0 for each token, and then the features of each in turn, `[n, tokens + tokens width]`."""
        start = to_fixed(self.weights["start"])
        tokens = np.zeros((len(values), 1 + self.reader.num_tokens, len(start)), np.int64)
        tokens[:, 0] = start
        for states, value, read in zip(tokens, values, known, strict=True):
            for place, state in enumerate(self._tokens(value[read]), 1):
                states[place] = state
        mask = np.concatenate([np.ones((len(values), 1), bool), known], 1)
        return np.concatenate([mask, from_fixed(tokens).reshape(len(values), -1)], 1)

    @abstractmethod
    def _tokens(self, values: Array) -> Iterable[Integers]:
        """Compute the features of the tokens of a prompt, in their order."""

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> TokenFeatures:
        """Read an encoder whose tokens fill the part."""
        stored = StoredTokens.parse(document, arrays)
        weights = stored.weight("start", (None,), arrays)
        size = len(weights["start"])
        if part != "tokens" or width != (1 + stored.num_tokens) * (1 + size):
            raise arrays.damaged("an encoder of tokens has another width")
        shapes: dict[str, tuple[int | None, ...]] = {"first.weight": (size, None), "first.bias": (size,)}
        if stored.kind == "words":
            shapes = {"position": (stored.num_tokens, size), "embedding.weight": (None, size)}
            shapes |= {"out.weight": (size, size), "out.bias": (size,)}
            if "window.weight" in stored.weights:
                shapes |= {"window.weight": (size, WINDOW * size), "window.bias": (size,)}
        for name, shape in shapes.items():
            weights |= stored.weight(name, shape, arrays)
        if stored.kind == "states":
            inputs = weights["first.weight"].shape[1]
            states = StateReader(stored.encoder, stored.fingerprint, stored.num_tokens, inputs)
            return StateFeatures(states, StoredWeights(weights))
        if not len(weights["embedding.weight"]):
            raise arrays.damaged("an encoder of tokens has no buckets")
        words = WordReader(len(weights["embedding.weight"]), stored.num_tokens, stored.length)
        return WordFeatures(words, StoredWeights(weights))


class WordFeatures(TokenFeatures):
    """A learned token for each word: the embeddings of itself and its n-grams, its position, and its neighbours."""

    kind = "words"

    def _tokens(self, values: Array) -> Iterable[Integers]:
        words = to_fixed(self.weights["position"])[: len(values)]
        for word, value in zip(words, values, strict=False):
            word += self._mean_embedding(value)
        if "window.weight" in self.weights.arrays:
            words = np.maximum(self._windows(words), 0)
        return self.weights.linear("out", words)


class StateFeatures(TokenFeatures):
    """States of a frozen encoder, normalised to mean 0 and variance 1, through a linear layer."""

    kind = "states"

    def _tokens(self, values: Array) -> Iterable[Integers]:
        for x in to_fixed(values):
            x = x - (2 * int(x.sum()) + len(x)) // (2 * len(x))
            variance = sum(int(each) ** 2 for each in x) / len(x)  # whole numbers, divided once
            yield self.weights.linear("first", to_fixed(x / (variance + EPSILON) ** 0.5))
