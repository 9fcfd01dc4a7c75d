"""Prompts without torch: they are read as vectors of a frozen encoder, or as hashed n-grams, and encoded in integers.

What follows the vector of a frozen encoder, and all of the n-grams, is integer arithmetic (`conditioning/portable.py`):
the same features on every platform. The vector itself is an input: its encoder computes in floating point.
"""

from __future__ import annotations

import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pointillist.conditioning.inputs import MaskedValue, parse_prompts
from pointillist.conditioning.portable import (
    WEIGHT_BITS,
    Integers,
    LayerFeatures,
    Name,
    StoredEncoder,
    StoredWeights,
    from_fixed,
    silu,
    to_fixed,
)
from pointillist.conditioning.text_encoders.cache import EmbeddingCache, embedding_cache, normalize_text
from pointillist.files.arrays import Array, ArrayReader, ArrayWriter

if TYPE_CHECKING:
    from pointillist.data import Batch
    from pointillist.images import ImageSpec


PAD = -1
NgramKind = Literal["characters", "words"]
"""Whether words and n-grams of their characters are hashed, or words in their order (Bojanowski et al. 2017)."""

Chain: TypeAlias = tuple[tuple[str, str, int, int], ...]
"""A matrix, the one before it, an axis of that one, and a factor: a row is as long as that axis times the factor."""
WINDOW = 5
"""Neighbouring words that are read together: "red cat on a blue" has the colour of each thing next to it."""


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


class SpelledPrompt(str):
    """A prompt that is read by its letters alone, without the vector of a frozen encoder, as in an exported page.

    ```python
    reader = SentenceReader("use", fingerprint, 512)
    reader.look_up([SpelledPrompt("a red dragon")]).known  # [False]
    ```
    """

    __slots__ = ()


class PromptReader(ABC):
    """Base of what reads prompts: a data set has them as captions.

    Attributes:
        vectors: cached vectors of the frozen encoder; None for words that are learned with the model.
    """

    keyword: ClassVar[str] = "text"

    @property
    def vectors(self) -> EmbeddingCache | None:
        return None

    def describe_unread(self, prompt: str) -> str:
        """Write a sentence on what the model does not read of a long prompt; empty if it reads all."""
        return ""

    @abstractmethod
    def look_up(self, prompts: Sequence[str], *, keep: bool = True) -> MaskedValue:
        """Return the numbers of prompts, and which say anything; vectors are kept on disk if `keep`."""

    def read(self, value: Any, count: int, size: tuple[int, int], *, keep: bool = True) -> MaskedValue:
        """Read prompts, one for all images or one each; see `parse_prompts`."""
        prompts = parse_prompts(value, count)
        if prompts is None:  # many images without a prompt take no memory
            nothing = self.look_up([""])
            values, known = (
                np.broadcast_to(array, (count, *array.shape[1:])) for array in (nothing.values, nothing.known)
            )
            return MaskedValue(values, known)
        return self.look_up(prompts, keep=keep)

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Read the captions of a batch as the prompts of a user; their vectors are not kept on disk."""
        return self.read(batch.texts, len(batch), (1, 1), keep=False)


@dataclass(frozen=True)
class FrozenReader(PromptReader):
    """Base of what looks up the numbers that a frozen encoder gives for prompts.

    Attributes:
        encoder, fingerprint: see `open_encoder`.
    """

    encoder: str
    fingerprint: str

    @property
    def vectors(self) -> EmbeddingCache:
        return embedding_cache(self.encoder, self.fingerprint)


@dataclass(frozen=True)
class SentenceReader(FrozenReader):
    """Look up the vectors of prompts of a frozen encoder.

    ```python
    SentenceReader("use", fingerprint, 512).look_up(["a red dragon", ""]).known  # [True, False]
    ```

    Attributes:
        size: numbers in a vector.
    """

    size: int

    def look_up(self, prompts: Sequence[str], *, keep: bool = True) -> MaskedValue:
        """Return vectors `[n, size]`, and which prompts say anything; the vectors are kept on disk if `keep`.

        Raises:
            ConfigError: if the frozen encoder that is installed has other weights.
        """
        known = np.array([bool(text.strip()) and not isinstance(text, SpelledPrompt) for text in prompts], bool)
        values = np.zeros((len(prompts), self.size), np.float32)
        filled = [text for text, is_known in zip(prompts, known, strict=True) if is_known]
        if filled:
            self.vectors.keep(filled if keep else ())
            values[known] = self.vectors(filled)
        return MaskedValue(values, known)


@dataclass(frozen=True)
class NgramReader(PromptReader):
    """Hash words and n-grams of prompts into buckets.

    ```python
    NgramReader(4096, 96).look_up(["a red dragon"]).values.shape  # (1, 96)
    ```

    Attributes:
        buckets: number of buckets.
        length: number of features that are read of a prompt.
        ngrams: words and n-grams of their characters, each once, or words in their order.
    """

    buckets: int
    length: int
    ngrams: NgramKind = "characters"

    def describe_unread(self, prompt: str) -> str:
        """Count the words, or the different ones where each is read once; see `PromptReader`."""
        words = re.findall(r"\w+", normalize_text(prompt))
        count, kind = (len(words), "words") if self.ngrams == "words" else (len(set(words)), "different words")
        sentence = f"The prompt has {count:,} {kind}, and this model reads the first {self.length} of them: shorten it."
        return sentence if count > self.length else ""

    def look_up(self, prompts: Sequence[str], *, keep: bool = True) -> MaskedValue:
        """Return buckets `[n, length]` with `PAD`, and which prompts say anything."""
        hashed = hash_words if self.ngrams == "words" else hash_ngrams
        values = np.stack([hashed(text, self.buckets, self.length) for text in prompts])
        return MaskedValue(values, (values != PAD).any(1))


class StoredPrompts(StoredEncoder):
    """JSON values of an encoder of prompts."""

    kind: Literal["sentence", "ngrams"]
    encoder: Name
    fingerprint: Name
    length: Annotated[int, Field(ge=0, le=4096)]
    ngrams: NgramKind = "characters"


class TextFeatures(LayerFeatures):
    """Base of encoders of prompts in numpy, in integers.

    Attributes:
        stored: settings of the reader that are stored, and what stands where a reader has none.
    """

    kind: ClassVar[str]
    stored: ClassVar[dict[str, str | int]]

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the kind, the weights and what the reader needs."""
        reader = {name: getattr(self.reader, name, default) for name, default in self.stored.items()}
        return {**super().encode(arrays), "kind": self.kind, **reader}

    def _windows(self, words: Integers) -> Integers:
        """Apply the layer `window` to each word and its neighbours."""
        padded = np.pad(words, ((WINDOW // 2,) * 2, (0, 0)))
        return self.weights.linear("window", np.hstack([padded[i : i + len(words)] for i in range(WINDOW)]))

    def _mean_embedding(self, value: Array) -> Integers:
        """Add up the embeddings of buckets, over the root of their number."""
        buckets = value[value != PAD]
        total = to_fixed(self.weights["embedding.weight"][buckets]).sum(0)
        root = int(to_fixed(np.array(1 / max(len(buckets), 1) ** 0.5), WEIGHT_BITS))
        mean: Integers = (total * root + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
        return mean


class PromptFeatures(TextFeatures):
    """Base of encoders of prompts as vectors.

    Attributes:
        names: its weights.
        chain: how its matrices fit.
    """

    key: ClassVar[str] = "prompts"
    names: ClassVar[tuple[str, ...]]
    chain: ClassVar[Chain]
    stored: ClassVar[dict[str, str | int]] = {"encoder": "", "fingerprint": "", "length": 0, "ngrams": "characters"}

    def _features(self, value: Array) -> Integers:
        """Compute the features of a prompt, in steps of 2^-18."""
        raise NotImplementedError

    def features(self, values: Array, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Compute features `[n, width]`, once for images and calls of the same prompt."""
        prompts = [value.tobytes() for value in values]
        computed = {prompt: _features_of(self, prompt, values.dtype) for prompt in dict.fromkeys(prompts)}
        return from_fixed(np.stack([computed[prompt] for prompt in prompts]))

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> PromptFeatures:
        """Read an encoder whose matrices go together."""
        stored = StoredPrompts.parse(document, arrays)
        hashed = WordOrderFeatures if stored.ngrams == "words" else NgramFeatures
        chosen = SentenceFeatures if stored.kind == "sentence" else hashed
        weights: dict[str, Array] = {}
        for name in chosen.names:
            weights |= stored.weight(name, (None, None) if name.endswith("weight") else (None,), arrays)
        for name, before, axis, factor in chosen.chain:
            if weights[name].shape[1] != factor * weights[before].shape[axis] or not len(weights[chosen.names[0]]):
                raise arrays.damaged("an encoder of prompts has matrices that do not fit")
        for bias in (name for name in chosen.names if name.endswith("bias")):
            if len(weights[bias]) != len(weights[f"{bias.removesuffix('bias')}weight"]):
                raise arrays.damaged("an encoder of prompts has a bias that does not fit")
        if len(weights[chosen.names[-1]]) != width or part != "vector":
            raise arrays.damaged("an encoder of prompts has another width")
        return chosen.of(StoredWeights(weights), stored)


@lru_cache(maxsize=64)
def _features_of(encoder: PromptFeatures, prompt: bytes, dtype: np.dtype[Any]) -> Integers:
    return encoder._features(np.frombuffer(prompt, dtype))


class SentenceFeatures(PromptFeatures):
    """Two layers over the vector of a frozen encoder."""

    kind = "sentence"
    names: ClassVar[tuple[str, ...]] = ("first.weight", "first.bias", "second.weight", "second.bias")
    chain: ClassVar[Chain] = (("second.weight", "first.weight", 0, 1),)

    @classmethod
    def of(cls, weights: StoredWeights, stored: StoredPrompts) -> SentenceFeatures:
        size = weights.arrays["first.weight"].shape[1]
        return cls(SentenceReader(stored.encoder, stored.fingerprint, size), weights)

    def _features(self, value: Array) -> Integers:
        x = to_fixed(value.astype(np.float64) * len(value) ** 0.5)
        return self.weights.linear("second", silu(self.weights.linear("first", x)))


class NgramFeatures(PromptFeatures):
    """Learned embeddings of words and character n-grams."""

    kind = "ngrams"
    names: ClassVar[tuple[str, ...]] = ("embedding.weight", "out.weight", "out.bias")
    chain: ClassVar[Chain] = (("out.weight", "embedding.weight", 1, 1),)

    @classmethod
    def of(cls, weights: StoredWeights, stored: StoredPrompts) -> NgramFeatures:
        return cls(NgramReader(len(weights.arrays["embedding.weight"]), stored.length, stored.ngrams), weights)

    def _features(self, value: Array) -> Integers:
        return self.weights.linear("out", self._mean_embedding(value))


class WordOrderFeatures(NgramFeatures):
    """A convolution over the learned embeddings of words, and its maximum; see `WordOrderEncoder`."""

    names: ClassVar[tuple[str, ...]] = ("embedding.weight", "window.weight", "window.bias", "out.weight", "out.bias")
    chain: ClassVar[Chain] = (("window.weight", "embedding.weight", 1, WINDOW), ("out.weight", "window.weight", 0, 1))

    def _features(self, value: Array) -> Integers:
        windows = self._windows(to_fixed(self.weights["embedding.weight"][value[value != PAD]]))
        return self.weights.linear("out", windows.max(axis=0, initial=0))
