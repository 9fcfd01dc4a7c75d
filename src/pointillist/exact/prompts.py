"""Features of prompts without torch: the encoders of `conditioning/text.py` on stored weights, in numpy.

They run in floating point, before the first pixel. Their features become integers (`quantize_inputs`), which are the
input of the exact program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.checkpoint.header import SCALE_SUFFIX
from pointillist.conditioning.text_encoders import PAD, embedding_cache, hash_ngrams

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
        weights: float32; or int8 `[outputs, ...]` with a scale for each output, `NAME_scale`.
        encoder, fingerprint: the frozen encoder of `sentence`; see `open_encoder`.
        length: number of n-grams that are read of a prompt.
    """

    kind: Kind
    weights: Mapping[str, Array]
    encoder: str = ""
    fingerprint: str = ""
    length: int = 0
    _decoded: dict[str, Array] = field(default_factory=dict)

    def __call__(self, prompts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Encode prompts.

        Returns:
            Features `[n, width]`, and which prompts say anything: the features of the others mean nothing.

        Raises:
            ConfigError: if the frozen encoder that is installed has other weights.
        """
        if self.kind == "sentence":
            known = np.array([bool(text.strip()) for text in prompts], bool)
            vectors = np.zeros((len(prompts), self._weight("first.weight").shape[1]), np.float32)
            given = [text for text in prompts if text.strip()]
            if given:
                cache = embedding_cache(self.encoder, self.fingerprint)
                cache.keep(given)
                vectors[known] = cache(given)
            return self.features(vectors), known
        buckets = len(self._weight("embedding.weight"))
        found = np.stack([hash_ngrams(text, buckets, self.length) for text in prompts])
        return self.features(found), (found != PAD).any(1)

    def features(self, values: Array) -> NDArray[np.float32]:
        """Compute features `[n, width]` of vectors of the frozen encoder, or of n-gram buckets with `PAD`, `[n, k]`.

        Each image is computed by itself, so that its features do not depend on its batch.
        """
        one = self._sentence if self.kind == "sentence" else self._ngrams
        found = np.zeros((len(values), len(self.weights[WEIGHTS[self.kind][-1]])), np.float32)
        for features, row in zip(found, values, strict=True):
            features[:] = one(row)
        return found

    def _sentence(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        hidden = self._linear("first", vector * np.float32(len(vector) ** 0.5))
        return self._linear("second", hidden / (1 + np.exp(-hidden)))

    def _ngrams(self, buckets: NDArray[np.int64]) -> NDArray[np.float32]:
        read = buckets[buckets != PAD]
        total = self._weight("embedding.weight")[read].sum(0)
        return self._linear("out", total / np.float32(max(len(read), 1) ** 0.5))

    def _linear(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._weight(f"{name}.weight") @ x + self._weight(f"{name}.bias")
        return found

    def _weight(self, name: str) -> NDArray[np.float32]:
        """Decode a weight; int8 times scale is exact in float32."""
        if name not in self._decoded:
            array = self.weights[name].astype(np.float32)
            scale = self.weights.get(name + SCALE_SUFFIX)
            self._decoded[name] = array if scale is None else array * scale[:, None]
        return self._decoded[name]
