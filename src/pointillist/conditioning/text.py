"""Text: prompts as vectors of a frozen encoder, as words learned with the model, or both side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.text_encoders import PAD, EmbeddingCache, TokenEncoder, hash_ngrams, open_encoder
from pointillist.errors import ConfigError, ShapeError
from pointillist.nn.activation import Dropout

LEARNED, TOKENS = "learned", "tokens"
WORDS, STATES = 16, 32  # tokens that are heard of a prompt: learned words, states of an encoder


class TextConfig(BaseModel):
    """How a model listens to text.

    Attributes:
        encoder: `use`, `minilm:FOLDER`, `clip:FOLDER`, or "" for none.
        fingerprint: SHA-256 of the encoder's weights; `size`: numbers of its vectors.
        learned: whether words and their character n-grams are learned with the model.
        width: features of each of the two.
        buckets, length: vectors for words and n-grams, and how many of a prompt are read.
        dropout: probability, on the features, against learning captions by heart.
        tokens: how many tokens of a prompt are heard one by one, through cross-attention; 0 for none.
        token_size: numbers of the encoder's token states; 0 where tokens are learned words.
        pieces: how many n-grams of a learned word are read, with itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = ""
    fingerprint: str = ""
    size: int = Field(0, ge=0, le=65_536)
    learned: bool = False
    width: int = Field(64, ge=1, le=8192)
    buckets: int = Field(4096, ge=1, le=1_048_576)
    length: int = Field(96, ge=1, le=4096)
    dropout: float = Field(0.1, ge=0, lt=1)
    tokens: int = Field(0, ge=0, le=1024)
    token_size: int = Field(0, ge=0, le=65_536)
    pieces: int = Field(24, ge=1, le=1024)

    @model_validator(mode="after")
    def _check(self) -> TextConfig:
        if not self.encoder and not self.learned:
            raise ConfigError("`text` needs an encoder, or `learned`: choose use, learned or use+learned.")
        if bool(self.encoder) != bool(self.size and self.fingerprint):
            raise ConfigError("A text encoder comes with its `size` and `fingerprint`: make the model with `build`.")
        if self.tokens and not self.token_size and not self.learned:
            raise ConfigError("`tokens` are those of an encoder or learned words: give `token_size`, or `learned`.")
        return self

    @classmethod
    def of(cls, text: str, width: int = 64, dropout: float = 0.1) -> TextConfig:
        """From `use`, `learned`, `use+learned`, `learned+tokens`, `minilm:FOLDER+tokens` and so on.

        Tokens are the states of the encoder where it gives them, and learned words otherwise.

        Raises:
            ConfigError, MissingExtraError: if there is no such encoder, or it is not installed.
        """
        parts = [part.strip() for part in text.split("+")]
        encoders = [part for part in parts if part not in (LEARNED, TOKENS)]
        if len(encoders) > 1 or len(set(parts)) < len(parts) or parts == [TOKENS]:
            raise ConfigError(
                f"`text` (={text!r}) may name one encoder, and `{LEARNED}` and `{TOKENS}` beside it: use+learned."
            )
        found: dict[str, Any] = {"learned": LEARNED in parts, "width": width, "dropout": dropout}
        encoder = open_encoder(encoders[0]) if encoders else None
        if encoder is not None:
            found |= {"encoder": encoder.name, "fingerprint": encoder.fingerprint, "size": encoder.size}
        if TOKENS in parts and isinstance(encoder, TokenEncoder):
            found |= {"tokens": STATES, "token_size": encoder.token_size}
        elif TOKENS in parts:
            if LEARNED not in parts:
                raise ConfigError(f"`text` (={text!r}) has no tokens: let it learn words beside, `{text}+{LEARNED}`.")
            found["tokens"] = WORDS
        return cls(**found)


@lru_cache(maxsize=8)
def embedding_cache(encoder: str, fingerprint: str) -> EmbeddingCache:
    """The vectors of an encoder, if it is the one that a model was trained with.

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


def parse_prompts(asked: Any, count: int) -> list[str] | None:
    """Prompts of `count` images: one for all or one each; None, and "" for an image, is no prompt.

    Raises:
        ConfigError: if they are not strings.
        ShapeError: if there are neither one nor `count` of them.
    """
    if asked is None:
        return None
    texts = [asked] if isinstance(asked, str) else list(asked)
    for text in texts:
        if not isinstance(text, (str, type(None))):
            raise ConfigError(f"`text` (={text!r}) must be a string, or one for each image.")
    if len(texts) not in (1, count):
        raise ShapeError(f"{len(texts)} texts do not fit {count} images: give one text, or one for each image.")
    filled = [text or "" for text in texts]
    return filled * count if len(filled) == 1 else filled


class SentenceEncoder(ConditionEncoder):
    """Two layers over the vector of a frozen encoder, which is no part of the model's file."""

    asks = "text"

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.vector_width = config.width
        self.first = nn.Linear(config.size, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.dropout = Dropout(config.dropout)
        self.absent = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    @property
    def prompts(self) -> EmbeddingCache:
        """The vectors of prompts."""
        return embedding_cache(self.config.encoder, self.config.fingerprint)

    def resolve(self, asked: str | Sequence[str] | None, count: int, size: tuple[int, int]) -> MaskedValue:
        """Vectors of prompts."""
        texts = parse_prompts(asked, count)
        if texts is None:
            return MaskedValue(torch.zeros(1, self.config.size).expand(count, -1), torch.zeros(count, dtype=torch.bool))
        known = torch.tensor([bool(text.strip()) for text in texts])
        values = torch.zeros(count, self.config.size)
        if bool(known.any()):
            vectors = self.prompts([text for text, there in zip(texts, known, strict=True) if there])
            values[known] = torch.from_numpy(vectors)
        return MaskedValue(values, known)

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Features of each prompt. Vectors of length 1 are brought to numbers of about 1."""
        known = part.known[:, None]
        values = torch.where(known, part.values.to(self.absent.dtype), 0.0) * self.config.size**0.5
        heard = self.second(self.dropout(F.silu(self.first(values))))
        return torch.where(known, heard, self.absent)[:, :, None, None]


class HashedNgramEncoder(ConditionEncoder):
    """The mean of learned vectors of words and character n-grams: knows the jargon of its captions, and its pieces."""

    asks = "text"

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.vector_width = config.width
        self.embedding = nn.Embedding(config.buckets, config.width)
        self.out = nn.Linear(config.width, config.width)
        self.dropout = Dropout(config.dropout)
        self.absent = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    def resolve(self, asked: str | Sequence[str] | None, count: int, size: tuple[int, int]) -> MaskedValue:
        """Buckets of words and n-grams."""
        texts = parse_prompts(asked, count)
        config = self.config
        if texts is None:
            nothing = torch.full((1, config.length), PAD)
            return MaskedValue(nothing.expand(count, -1), torch.zeros(count, dtype=torch.bool))
        found = torch.from_numpy(np.stack([hash_ngrams(text, config.buckets, config.length) for text in texts]))
        return MaskedValue(found, (found != PAD).any(1))

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Features of each prompt."""
        known = part.known[:, None]
        read = (part.values != PAD) & known
        vectors = self.embedding(torch.where(read, part.values, 0)) * read[:, :, None]
        total = vectors.sum(1) / read.sum(1, keepdim=True).clamp(min=1) ** 0.5  # of n independent vectors: size 1
        heard = self.out(self.dropout(total))
        return torch.where(known, heard, self.absent)[:, :, None, None]
