from pointillist.conditioning.attributes import AttributesConfig
from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.encoders.grids import GridEncoder, HintEncoder, KnownPixelsEncoder
from pointillist.conditioning.encoders.text import (
    FrozenTokenEncoder,
    HashedNgramEncoder,
    HashedTokenEncoder,
    SentenceEncoder,
    TokenSequenceEncoder,
)
from pointillist.conditioning.encoders.vectors import AttributeEncoder, LabelEncoder, VectorEncoder
from pointillist.conditioning.hint import HintConfig, HintReader, hint_rule
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.conditioning.inputs import ConditionInputs, MaskedValue, parse_prompts
from pointillist.conditioning.known import OBSERVED, KnownConfig, parse_mask
from pointillist.conditioning.label import (
    NO_LABEL,
    Label,
    LabelConfig,
    label_input,
    label_numbers,
    labels_from_input,
    match_names,
)
from pointillist.conditioning.portable import PortableEncoder
from pointillist.conditioning.readers import ConditionKwargs, ConditionReader, ConditionReaders, count_images
from pointillist.conditioning.registry import (
    ConditionConfig,
    condition_kinds,
    expand_condition,
    parse_conditions,
    register_condition,
    unsupported_condition,
)
from pointillist.conditioning.text import TextConfig
from pointillist.conditioning.text_encoders.cache import embedding_cache
from pointillist.conditioning.vector import VectorConfig

__all__ = [
    "NO_LABEL",
    "OBSERVED",
    "AttributeEncoder",
    "AttributesConfig",
    "ConditionConfig",
    "ConditionEncoder",
    "ConditionInputs",
    "ConditionKwargs",
    "ConditionReader",
    "ConditionReaders",
    "FrozenTokenEncoder",
    "GridEncoder",
    "HashedNgramEncoder",
    "HashedTokenEncoder",
    "HintConfig",
    "HintEncoder",
    "HintPreprocessor",
    "HintReader",
    "KnownConfig",
    "KnownPixelsEncoder",
    "Label",
    "LabelConfig",
    "LabelEncoder",
    "MaskedValue",
    "PortableEncoder",
    "SentenceEncoder",
    "TextConfig",
    "TokenSequenceEncoder",
    "VectorConfig",
    "VectorEncoder",
    "condition_kinds",
    "count_images",
    "embedding_cache",
    "expand_condition",
    "hint_rule",
    "label_input",
    "label_numbers",
    "labels_from_input",
    "match_names",
    "parse_conditions",
    "parse_mask",
    "parse_prompts",
    "register_condition",
    "unsupported_condition",
]
