"""What a painting listens to: each condition in a file of its own, all of them brought to one `nn.Condition`."""

from pointillist.conditioning.attributes import AttributeEncoder, AttributesConfig
from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.image import HintConfig, ImageConditionEncoder
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import ConditionInputs, ConditionKwargs, MaskedValue, unsupported_condition
from pointillist.conditioning.label import NO_LABEL, Label, LabelEncoder, label_input, labels_from_input, resolve_labels
from pointillist.conditioning.order_embedding import OrderEmbedding
from pointillist.conditioning.position_embedding import PositionEmbedding
from pointillist.conditioning.text import (
    HashedNgramEncoder,
    SentenceEncoder,
    TextConfig,
    embedding_cache,
    parse_prompts,
)
from pointillist.conditioning.tokens import FrozenTokenEncoder, HashedTokenEncoder, TokenSequenceEncoder
from pointillist.conditioning.vector import VectorConfig, VectorEncoder

__all__ = [
    "NO_LABEL",
    "AttributeEncoder",
    "AttributesConfig",
    "ConditionEncoder",
    "ConditionInputs",
    "ConditionKwargs",
    "FrozenTokenEncoder",
    "HashedNgramEncoder",
    "HashedTokenEncoder",
    "HintConfig",
    "HintPreprocessor",
    "ImageConditionEncoder",
    "Label",
    "LabelEncoder",
    "MaskedValue",
    "OrderEmbedding",
    "PositionEmbedding",
    "SentenceEncoder",
    "TextConfig",
    "TokenSequenceEncoder",
    "VectorConfig",
    "VectorEncoder",
    "embedding_cache",
    "label_input",
    "labels_from_input",
    "parse_prompts",
    "resolve_labels",
    "unsupported_condition",
]
