"""Text: encoders of prompts behind one protocol, and their vectors kept."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
