"""Features of prompts without torch: the encoders of `conditioning/text.py` on stored weights, in numpy.

They run in floating point, before the first pixel. Their features become integers (`quantize_inputs`), which are the
input of the integer program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.conditioning.text_encoders import PAD, embedding_cache, hash_ngrams
from pointillist.portable.weights import StoredWeights

Array = NDArray[Any]
Kind = Literal["sentence", "ngrams"]
WEIGHTS: Mapping[Kind, tuple[str, ...]] = {
    "sentence": ("first.weight", "first.bias", "second.weight", "second.bias"),
    "ngrams": ("embedding.weight", "out.weight", "out.bias"),
}
"""Weights of each kind of encoder."""


@dataclass(frozen=True, eq=False)
class PromptFeatures:
    """An encoder of prompts, with its weights.

    Attributes:
        kind: `sentence`, two layers over the vector of a frozen encoder; or `ngrams`, learned embeddings of words and
            character n-grams.
        weights: those of `WEIGHTS`.
        encoder, fingerprint: the frozen encoder of `sentence`; see `open_encoder`.
        length: number of n-grams that are read of a prompt.
    """

    kind: Kind
    weights: StoredWeights
    encoder: str = ""
    fingerprint: str = ""
    length: int = 0

    def __call__(self, prompts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Encode prompts.

        Returns:
            Features `[n, width]`, and which prompts say anything: the features of the others mean nothing.

        Raises:
            ConfigError: if the frozen encoder that is installed has other weights.
        """
        if self.kind == "sentence":
            known = np.array([bool(text.strip()) for text in prompts], bool)
            vectors = np.zeros((len(prompts), self.weights["first.weight"].shape[1]), np.float32)
            given = [text for text in prompts if text.strip()]
            if given:
                cache = embedding_cache(self.encoder, self.fingerprint)
                cache.keep(given)
                vectors[known] = cache(given)
            return self.features(vectors), known
        buckets = len(self.weights["embedding.weight"])
        result = np.stack([hash_ngrams(text, buckets, self.length) for text in prompts])
        return self.features(result), (result != PAD).any(1)

    def features(self, values: Array) -> NDArray[np.float32]:
        """Compute features `[n, width]` of vectors of the frozen encoder, or of n-gram buckets with `PAD`, `[n, k]`.

        Each image is computed by itself, so that its features do not depend on its batch.
        """
        one = self._sentence if self.kind == "sentence" else self._ngrams
        result = np.zeros((len(values), len(self.weights[WEIGHTS[self.kind][-1]])), np.float32)
        for features, row in zip(result, values, strict=True):
            features[:] = one(row)
        return result

    def _sentence(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        hidden = self._linear("first", vector * np.float32(len(vector) ** 0.5))
        return self._linear("second", hidden / (1 + np.exp(-hidden)))

    def _ngrams(self, buckets: NDArray[np.int64]) -> NDArray[np.float32]:
        read = buckets[buckets != PAD]
        total = self.weights["embedding.weight"][read].sum(0)
        return self._linear("out", total / np.float32(max(len(read), 1) ** 0.5))

    def _linear(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = self.weights[f"{name}.weight"] @ x + self.weights[f"{name}.bias"]
        return result
