"""Encoders of prompts: vectors of a frozen encoder, words learned with the model, tokens for cross-attention."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import LayerFeatures
from pointillist.conditioning.prompts import (
    PAD,
    WINDOW,
    NgramFeatures,
    NgramReader,
    SentenceFeatures,
    SentenceReader,
    WordOrderFeatures,
)
from pointillist.conditioning.text import TextConfig
from pointillist.conditioning.tokens import StateFeatures, StateReader, WordFeatures, WordReader
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float
from pointillist.nn import Dropout, Tokens

WORD_SIZE = 48
"""Numbers of the embedding of a word that is read with its neighbours."""


def text_encoders(config: TextConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make an encoder for the frozen vectors, one for learned words, one for tokens: those that are set."""
    result: dict[str, ConditionEncoder] = {}
    if config.frozen:
        result["text"] = SentenceEncoder(config)
    if config.learned:
        result["words"] = (WordOrderEncoder if config.ngrams == "words" else HashedNgramEncoder)(config)
    if config.num_tokens:
        result["tokens"] = (FrozenTokenEncoder if config.token_size else HashedTokenEncoder)(config)
    return result


class SentenceEncoder(ConditionEncoder):
    """Two layers over the vector of a frozen encoder, which is not part of the model's file."""

    without_torch: ClassVar[type[LayerFeatures] | None] = SentenceFeatures

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.vector_width: int = config.width
        self.reader: SentenceReader = SentenceReader(config.frozen, config.fingerprint, config.size)
        self.first: nn.Linear = nn.Linear(config.size, config.width)
        self.second: nn.Linear = nn.Linear(config.width, config.width)
        self.dropout: Dropout = Dropout(config.feature_dropout)
        self.absent: nn.Parameter = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Encode each prompt. Vectors of length 1 are scaled to numbers of about 1."""
        known = value.known[:, None]
        values = torch.where(known, value.values.to(self.absent.dtype), 0.0) * self.config.size**0.5
        features = self.second(self.dropout(F.silu(self.first(values))))
        return torch.where(known, features, self.absent)[:, :, None, None]


class HashedNgramEncoder(ConditionEncoder):
    """Mean of learned embeddings of words and n-grams (Bojanowski et al. 2017, Joulin et al. 2016), hashed.

    It learns the jargon of its captions, and pieces of unknown words.
    """

    without_torch: ClassVar[type[LayerFeatures] | None] = NgramFeatures

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.vector_width: int = config.width
        self.reader: NgramReader = NgramReader(config.buckets, config.length, config.ngrams)
        self.embedding: nn.Embedding = nn.Embedding(config.buckets, config.width)
        self.out: nn.Linear = nn.Linear(config.width, config.width)
        self.dropout: Dropout = Dropout(config.feature_dropout)
        self.absent: nn.Parameter = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Encode each prompt."""
        known = value.known[:, None]
        read = (value.values != PAD) & known
        vectors = self.embedding(torch.where(read, value.values, 0)) * read[:, :, None]
        return torch.where(known, self.out(self.dropout(self.summary(vectors, read))), self.absent)[:, :, None, None]

    def summary(self, vectors: Float[Tensor, "b t e"], read: Bool[Tensor, "b t"]) -> Float[Tensor, "b d"]:
        """Add up the embeddings: of n independent ones as large as each."""
        return vectors.sum(1) / read.sum(1, keepdim=True).clamp(min=1) ** 0.5


class WordOrderEncoder(HashedNgramEncoder):
    """A convolution over learned embeddings of words, and its maximum over the prompt (Kim 2014, eq. 1 to 3).

    It reads what stands next to what: whose colour it is, and which thing is on which.
    """

    without_torch: ClassVar[type[LayerFeatures] | None] = WordOrderFeatures

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.embedding: nn.Embedding = nn.Embedding(config.buckets, WORD_SIZE)
        self.window: nn.Linear = nn.Linear(WINDOW * WORD_SIZE, config.width)

    def summary(self, vectors: Float[Tensor, "b t e"], read: Bool[Tensor, "b t"]) -> Float[Tensor, "b d"]:
        """Take the maximum over all windows of words."""
        return torch.where(read[:, :, None], F.relu(self.window(windows(vectors))), 0.0).amax(1)


def windows(vectors: Float[Tensor, "b t e"]) -> Float[Tensor, "b t f"]:
    """Join each word with its neighbours, `WINDOW` in all."""
    return F.pad(vectors, (0, 0, WINDOW // 2, WINDOW // 2)).unfold(1, WINDOW, 1).transpose(2, 3).flatten(2)


class TokenSequenceEncoder(ConditionEncoder):
    """A learned first token, the only one of an unknown prompt, and behind it the tokens of the prompt."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens_width: int = config.width
        self.start: nn.Parameter = nn.Parameter(nn.init.normal_(torch.empty(config.width)))
        self.dropout: Dropout = Dropout(config.feature_dropout)

    def _after_start(self, states: Float[Tensor, "b t d"], known: Bool[Tensor, "b t"]) -> Tokens:
        states = torch.where(known[:, :, None], self.dropout(states), 0.0)
        start = self.start.to(states.dtype).expand(len(states), 1, -1)
        return Tokens(torch.cat([start, states], 1), F.pad(known, (1, 0), value=True))


class FrozenTokenEncoder(TokenSequenceEncoder):
    """Token states of a frozen encoder, which is not part of the model's file, through a linear layer."""

    without_torch: ClassVar[type[LayerFeatures] | None] = StateFeatures

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.reader: StateReader = StateReader(config.frozen, config.fingerprint, config.num_tokens, config.token_size)
        self.first: nn.Linear = nn.Linear(config.token_size, config.width)

    def forward(self, value: MaskedValue) -> Tokens:
        """Encode each token. States are scaled to numbers of about 1."""
        known = value.known[:, :, None]
        values = torch.where(known, value.values.to(self.start.dtype), 0.0)
        return self._after_start(self.first(F.layer_norm(values, values.shape[-1:])), value.known)


class HashedTokenEncoder(TokenSequenceEncoder):
    """A learned token for each word: the mean embedding of itself and its character n-grams, plus its position.

    With words in their order, a token reads the neighbours of its word: the token of a thing has its colour.
    """

    without_torch: ClassVar[type[LayerFeatures] | None] = WordFeatures

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        in_order = config.ngrams == "words"
        self.reader: WordReader = WordReader(config.buckets, config.num_tokens, 1 if in_order else config.pieces)
        self.embedding: nn.Embedding = nn.Embedding(config.buckets, config.width)
        self.window: nn.Linear | None = nn.Linear(WINDOW * config.width, config.width) if in_order else None
        self.position: nn.Parameter = nn.Parameter(
            nn.init.normal_(torch.empty(config.num_tokens, config.width), std=0.1)
        )
        self.out: nn.Linear = nn.Linear(config.width, config.width)

    def forward(self, value: MaskedValue) -> Tokens:
        """Encode each word."""
        read = (value.values != PAD) & value.known[:, :, None]
        vectors = self.embedding(torch.where(read, value.values, 0)) * read[..., None]
        words = vectors.sum(2) / read.sum(2, keepdim=True).clamp(min=1) ** 0.5  # of n independent vectors: size 1
        words = words + self.position
        if self.window is not None:
            words = F.relu(self.window(windows(words * value.known[:, :, None])))
        return self._after_start(self.out(words), value.known)
