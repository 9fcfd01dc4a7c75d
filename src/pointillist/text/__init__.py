"""Text: encoders of prompts behind one protocol, their vectors kept, and captions said in other words."""

from pointillist.text.encoder import TextEncoder, open_encoder
from pointillist.text.features import NOTHING, features
from pointillist.text.prompts import Prompts, clean
from pointillist.text.rewording import reword

__all__ = ["NOTHING", "Prompts", "TextEncoder", "clean", "features", "open_encoder", "reword"]
