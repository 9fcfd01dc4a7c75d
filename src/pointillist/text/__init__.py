"""Text: encoders of prompts behind one protocol, and their vectors kept."""

from pointillist.text.encoder import TextEncoder, TokenEncoder, open_encoder
from pointillist.text.features import NOTHING, features, word_features
from pointillist.text.prompts import Prompts, clean

__all__ = [
    "NOTHING",
    "Prompts",
    "TextEncoder",
    "TokenEncoder",
    "clean",
    "features",
    "open_encoder",
    "word_features",
]
