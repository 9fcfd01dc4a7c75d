"""Images by scales: codes of an encoder, a pixel model of each scale given the codes before it, honest bits."""

from pointillist.hierarchy.chain import Chain, CodeLength
from pointillist.hierarchy.evaluate import HierarchyEvaluation
from pointillist.hierarchy.model import Hierarchy
from pointillist.hierarchy.sample import HierarchySamples
from pointillist.hierarchy.tokenizers.fsq import FSQ
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer, TokenizerConfig

__all__ = [
    "FSQ",
    "Chain",
    "CodeLength",
    "Hierarchy",
    "HierarchyEvaluation",
    "HierarchySamples",
    "Tokenizer",
    "TokenizerConfig",
]
