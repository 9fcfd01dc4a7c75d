"""Conditions of a model. Each kind is one file: its settings, its encoders; `registry` lists the kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointillist.files.lazy import lazy_names

if TYPE_CHECKING:
    from pointillist.conditioning.attributes import AttributeEncoder, AttributesConfig
    from pointillist.conditioning.base import ConditionConfig, ConditionEncoder
    from pointillist.conditioning.given import (
        EVIDENCE,
        NO_LABEL,
        ConditionKwargs,
        parse_prompts,
        unsupported_condition,
    )
    from pointillist.conditioning.grid import GridEncoder
    from pointillist.conditioning.hint_reader import HintReader, hint_rule
    from pointillist.conditioning.image import HintConfig, ImageConditionEncoder
    from pointillist.conditioning.image_preprocessors import HintPreprocessor
    from pointillist.conditioning.inputs import ConditionInputs, MaskedValue
    from pointillist.conditioning.known import KnownConfig, KnownPixelsEncoder, parse_mask
    from pointillist.conditioning.label import (
        Label,
        LabelConfig,
        LabelEncoder,
        label_input,
        labels_from_input,
        match_names,
        resolve_labels,
    )
    from pointillist.conditioning.registry import condition_kinds, parse_conditions, register_condition
    from pointillist.conditioning.text import (
        FrozenTokenEncoder,
        HashedNgramEncoder,
        HashedTokenEncoder,
        SentenceEncoder,
        TextConfig,
        TokenSequenceEncoder,
    )
    from pointillist.conditioning.text_encoders import embedding_cache
    from pointillist.conditioning.vector import VectorConfig, VectorEncoder

_MODULES = {
    "attributes": (
        "AttributeEncoder",
        "AttributesConfig",
    ),
    "base": (
        "ConditionConfig",
        "ConditionEncoder",
    ),
    "given": (
        "EVIDENCE",
        "NO_LABEL",
        "ConditionKwargs",
        "parse_prompts",
        "unsupported_condition",
    ),
    "grid": ("GridEncoder",),
    "hint_reader": (
        "HintReader",
        "hint_rule",
    ),
    "image": (
        "HintConfig",
        "ImageConditionEncoder",
    ),
    "image_preprocessors": ("HintPreprocessor",),
    "inputs": (
        "ConditionInputs",
        "MaskedValue",
    ),
    "known": (
        "KnownConfig",
        "KnownPixelsEncoder",
        "parse_mask",
    ),
    "label": (
        "Label",
        "LabelConfig",
        "LabelEncoder",
        "label_input",
        "labels_from_input",
        "match_names",
        "resolve_labels",
    ),
    "registry": (
        "condition_kinds",
        "parse_conditions",
        "register_condition",
    ),
    "text": (
        "FrozenTokenEncoder",
        "HashedNgramEncoder",
        "HashedTokenEncoder",
        "SentenceEncoder",
        "TextConfig",
        "TokenSequenceEncoder",
    ),
    "text_encoders": ("embedding_cache",),
    "vector": (
        "VectorConfig",
        "VectorEncoder",
    ),
}

__all__ = [
    "EVIDENCE",
    "NO_LABEL",
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
    "HintPreprocessor",
    "HintReader",
    "ImageConditionEncoder",
    "KnownConfig",
    "KnownPixelsEncoder",
    "Label",
    "LabelConfig",
    "LabelEncoder",
    "MaskedValue",
    "SentenceEncoder",
    "TextConfig",
    "TokenSequenceEncoder",
    "VectorConfig",
    "VectorEncoder",
    "condition_kinds",
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
