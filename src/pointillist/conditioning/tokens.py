"""Text as tokens, which every site can ask one by one: states of a frozen encoder, or words learned with the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.text import TextConfig, embedding_cache, parse_prompts
from pointillist.conditioning.text_encoders import PAD, hash_ngrams_per_word
from pointillist.nn import Tokens
from pointillist.nn.activation import Dropout


class TokenSequenceEncoder(ConditionEncoder):
    """A learned first token, which alone is there where nothing is told, and those of the prompt behind it."""

    asks = "text"

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens_width = config.width
        self.start = nn.Parameter(nn.init.normal_(torch.empty(config.width)))
        self.dropout = Dropout(config.dropout)

    def _after_start(self, states: Float[Tensor, "b t d"], known: Bool[Tensor, "b t"]) -> Tokens:
        states = torch.where(known[:, :, None], self.dropout(states), 0.0)
        start = self.start.to(states.dtype).expand(len(states), 1, -1)
        return Tokens(torch.cat([start, states], 1), F.pad(known, (1, 0), value=True))


class FrozenTokenEncoder(TokenSequenceEncoder):
    """The token states of a frozen encoder, which is no part of the model's file, through a linear layer."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.first = nn.Linear(config.token_size, config.width)

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """States `[n t d]` of the first tokens of each prompt."""
        config = self.config
        values = torch.zeros(count, config.tokens, config.token_size)
        known = torch.zeros(count, config.tokens, dtype=torch.bool)
        for image, text in enumerate(parse_prompts(asked, count) or []):
            if text.strip():
                states = embedding_cache(config.encoder, config.fingerprint).tokens(text)[: config.tokens]
                values[image, : len(states)], known[image, : len(states)] = torch.from_numpy(states), True
        return MaskedValue(values, known)

    def forward(self, part: MaskedValue) -> Tokens:
        """A feature vector of each token; states are brought to numbers of about 1."""
        known = part.known[:, :, None]
        values = torch.where(known, part.values.to(self.start.dtype), 0.0)
        return self._after_start(self.first(F.layer_norm(values, values.shape[-1:])), part.known)


class HashedTokenEncoder(TokenSequenceEncoder):
    """Each word is the mean of the learned vectors of itself and of its character n-grams, and of its place."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.buckets, config.width)
        self.place = nn.Parameter(nn.init.normal_(torch.empty(config.tokens, config.width), std=0.1))
        self.out = nn.Linear(config.width, config.width)

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Buckets of each word and of its n-grams, `[n t f]`."""
        config, texts = self.config, parse_prompts(asked, count)
        found = [
            hash_ngrams_per_word(text, config.buckets, config.tokens, config.pieces) for text in texts or [""] * count
        ]
        values = torch.from_numpy(np.stack(found) if found else np.full((0, config.tokens, config.pieces), PAD))
        return MaskedValue(values, (values != PAD).any(2))

    def forward(self, part: MaskedValue) -> Tokens:
        """A feature vector of each word."""
        read = (part.values != PAD) & part.known[:, :, None]
        vectors = self.embedding(torch.where(read, part.values, 0)) * read[..., None]
        words = vectors.sum(2) / read.sum(2, keepdim=True).clamp(min=1) ** 0.5  # of n independent vectors: size 1
        return self._after_start(self.out(words + self.place), part.known)
