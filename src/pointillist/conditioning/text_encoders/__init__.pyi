from pointillist.conditioning.text_encoders.base import TextEncoder, TokenEncoder, WordEncoder, open_encoder
from pointillist.conditioning.text_encoders.cache import EmbeddingCache, EmbeddingStore, embedding_cache, normalize_text
from pointillist.conditioning.text_encoders.hashed_ngrams import (
    PAD,
    NgramKind,
    hash_ngrams,
    hash_ngrams_per_word,
    hash_words,
)

__all__ = [
    "PAD",
    "EmbeddingCache",
    "EmbeddingStore",
    "NgramKind",
    "TextEncoder",
    "TokenEncoder",
    "WordEncoder",
    "embedding_cache",
    "hash_ngrams",
    "hash_ngrams_per_word",
    "hash_words",
    "normalize_text",
    "open_encoder",
]
