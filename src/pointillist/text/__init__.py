"""Text: encoders of prompts behind one protocol, their vectors kept, and captions said in other words."""

from pointillist.text.colours import with_colour
from pointillist.text.encoder import TextEncoder, TokenEncoder, open_encoder
from pointillist.text.features import NOTHING, features, word_features
from pointillist.text.nearest import CaptionLikeness, Nearest, places_of
from pointillist.text.prompts import Prompts, clean
from pointillist.text.rewording import reword

__all__ = [
    "NOTHING",
    "CaptionLikeness",
    "Nearest",
    "Prompts",
    "TextEncoder",
    "TokenEncoder",
    "clean",
    "features",
    "open_encoder",
    "places_of",
    "reword",
    "with_colour",
    "word_features",
]
