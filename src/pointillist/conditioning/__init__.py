"""Conditions of a model. Each kind is a file of settings, and one of its encoders; `registry` lists the kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointillist.files.lazy import lazy_names

if TYPE_CHECKING:
    from pointillist.conditioning.attributes import AttributesConfig
    from pointillist.conditioning.encoder import ConditionEncoder
    from pointillist.conditioning.encoders.attributes import AttributeEncoder
    from pointillist.conditioning.encoders.grid import GridEncoder
    from pointillist.conditioning.encoders.hint import HintEncoder
    from pointillist.conditioning.encoders.known import KnownPixelsEncoder, parse_mask
    from pointillist.conditioning.encoders.label import (
        Label,
        LabelEncoder,
        label_input,
        labels_from_input,
        match_names,
        resolve_labels,
    )
    from pointillist.conditioning.encoders.text import (
        FrozenTokenEncoder,
        HashedNgramEncoder,
        HashedTokenEncoder,
        SentenceEncoder,
        TokenSequenceEncoder,
    )
    from pointillist.conditioning.encoders.vector import VectorEncoder
    from pointillist.conditioning.hint import HintConfig, HintReader, hint_rule
    from pointillist.conditioning.image_preprocessors import HintPreprocessor
    from pointillist.conditioning.inputs import ConditionInputs, MaskedValue
    from pointillist.conditioning.keywords import ConditionKwargs, count_images
    from pointillist.conditioning.known import OBSERVED, KnownConfig
    from pointillist.conditioning.label import NO_LABEL, LabelConfig
    from pointillist.conditioning.portable import PortableEncoder
    from pointillist.conditioning.prompts import parse_prompts
    from pointillist.conditioning.registry import (
        condition_kinds,
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
    "encoders.attributes": ("AttributeEncoder",),
    "encoders.grid": ("GridEncoder",),
    "encoders.hint": ("HintEncoder",),
    "encoders.known": (
        "KnownPixelsEncoder",
        "parse_mask",
    ),
    "encoders.label": (
        "Label",
        "LabelEncoder",
        "label_input",
        "labels_from_input",
        "match_names",
        "resolve_labels",
    ),
    "encoders.text": (
        "FrozenTokenEncoder",
        "HashedNgramEncoder",
        "HashedTokenEncoder",
        "SentenceEncoder",
        "TokenSequenceEncoder",
    ),
    "encoders.vector": ("VectorEncoder",),
    "hint": (
        "HintConfig",
        "HintReader",
        "hint_rule",
    ),
    "image_preprocessors": ("HintPreprocessor",),
    "inputs": (
        "ConditionInputs",
        "MaskedValue",
    ),
    "keywords": ("ConditionKwargs", "count_images"),
    "known": (
        "OBSERVED",
        "KnownConfig",
    ),
    "label": (
        "NO_LABEL",
        "LabelConfig",
    ),
    "portable": ("PortableEncoder",),
    "prompts": ("parse_prompts",),
    "registry": (
        "condition_kinds",
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
    "hint_rule",
    "label_input",
    "labels_from_input",
    "match_names",
    "parse_conditions",
    "parse_mask",
    "parse_prompts",
    "register_condition",
    "resolve_labels",
    "unsupported_condition",
]

__getattr__ = lazy_names(__name__, _MODULES)
