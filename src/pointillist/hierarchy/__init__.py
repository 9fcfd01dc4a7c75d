"""Images by levels: codes of an encoder, a pixel model of each level given the codes before it, honest bits."""

from pointillist.hierarchy.bound import CodeLength
from pointillist.hierarchy.model import Hierarchy
from pointillist.hierarchy.tokenizer import Tokenizer

__all__ = ["CodeLength", "Hierarchy", "Tokenizer"]
