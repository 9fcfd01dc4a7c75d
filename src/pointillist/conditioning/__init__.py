"""What a painting listens to: each condition in a file of its own, all of them brought to one `nn.Condition`."""

from pointillist.conditioning.attributes import AttributesConfig, AttributesListener
from pointillist.conditioning.derive import Derivation
from pointillist.conditioning.hint import HintConfig, HintListener
from pointillist.conditioning.label import NO_LABEL, Label, LabelListener, label_part, labels_of, resolve_labels
from pointillist.conditioning.listener import Listener
from pointillist.conditioning.order import OrderVectors
from pointillist.conditioning.position import PositionMap
from pointillist.conditioning.text import TextConfig, TextListener, WordsListener, prompts_of, resolve_texts
from pointillist.conditioning.tokens import EncodedTokensListener, TokensListener, WordTokensListener
from pointillist.conditioning.told import Further, Part, Told, not_heard
from pointillist.conditioning.vector import VectorConfig, VectorListener

__all__ = [
    "NO_LABEL",
    "AttributesConfig",
    "AttributesListener",
    "Derivation",
    "EncodedTokensListener",
    "Further",
    "HintConfig",
    "HintListener",
    "Label",
    "LabelListener",
    "Listener",
    "OrderVectors",
    "Part",
    "PositionMap",
    "TextConfig",
    "TextListener",
    "TokensListener",
    "Told",
    "VectorConfig",
    "VectorListener",
    "WordTokensListener",
    "WordsListener",
    "label_part",
    "labels_of",
    "not_heard",
    "prompts_of",
    "resolve_labels",
    "resolve_texts",
]
