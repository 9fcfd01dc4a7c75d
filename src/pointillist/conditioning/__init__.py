"""Conditions of a model. Each kind is a file of settings, and one of its encoders; `registry` lists the kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pointillist.files.lazy import lazy_names

if TYPE_CHECKING:
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
    from pointillist.conditioning.readers import (
        ConditionKwargs,
        ConditionReader,
        ConditionReaders,
        count_images,
    )
    from pointillist.conditioning.registry import (
        condition_kinds,
        expand_condition,
        parse_conditions,
        register_condition,
        unsupported_condition,
    )
    from pointillist.conditioning.settings import ConditionConfig
    from pointillist.conditioning.text import TextConfig
    from pointillist.conditioning.text_encoders import embedding_cache
    from pointillist.conditioning.vector import VectorConfig

_MODULES = {
    "attributes": ("AttributesConfig",),
    "encoder": ("ConditionEncoder",),
    "encoders.grids": ("GridEncoder", "HintEncoder", "KnownPixelsEncoder"),
    "encoders.text": (
        "FrozenTokenEncoder",
        "HashedNgramEncoder",
        "HashedTokenEncoder",
        "SentenceEncoder",
        "TokenSequenceEncoder",
    ),
    "encoders.vectors": ("AttributeEncoder", "LabelEncoder", "VectorEncoder"),
    "hint": (
        "HintConfig",
        "HintReader",
        "hint_rule",
    ),
    "image_preprocessors": ("HintPreprocessor",),
    "inputs": ("ConditionInputs", "MaskedValue", "parse_prompts"),
    "known": (
        "OBSERVED",
        "KnownConfig",
        "parse_mask",
    ),
    "label": (
        "NO_LABEL",
        "Label",
        "LabelConfig",
        "label_input",
        "label_numbers",
        "labels_from_input",
        "match_names",
    ),
    "portable": ("PortableEncoder",),
    "readers": ("ConditionKwargs", "ConditionReader", "ConditionReaders", "count_images"),
    "registry": (
        "condition_kinds",
        "expand_condition",
        "parse_conditions",
        "register_condition",
        "unsupported_condition",
    ),
    "settings": ("ConditionConfig",),
    "text": ("TextConfig",),
    "text_encoders": ("embedding_cache",),
    "vector": ("VectorConfig",),
}

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

__getattr__: Callable[[str], Any] = lazy_names(__name__, _MODULES)
