"""Conditions of a model. Each kind is a file of settings, and one of its encoders; `registry` lists the kinds."""

from pointillist.files import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "pointillist.conditioning.attributes": "AttributesConfig",
        "pointillist.conditioning.encoder": "ConditionEncoder",
        "pointillist.conditioning.encoders.grids": "GridEncoder HintEncoder KnownPixelsEncoder",
        "pointillist.conditioning.encoders.text": (
            "FrozenTokenEncoder HashedNgramEncoder HashedTokenEncoder SentenceEncoder TokenSequenceEncoder"
        ),
        "pointillist.conditioning.encoders.vectors": "AttributeEncoder LabelEncoder VectorEncoder",
        "pointillist.conditioning.hint": "HintConfig HintReader hint_rule",
        "pointillist.conditioning.image_preprocessors": "HintPreprocessor",
        "pointillist.conditioning.inputs": "ConditionInputs MaskedValue parse_prompts",
        "pointillist.conditioning.known": "OBSERVED KnownConfig parse_mask",
        "pointillist.conditioning.label": (
            "NO_LABEL Label LabelConfig label_input label_numbers labels_from_input match_names"
        ),
        "pointillist.conditioning.portable": "PortableEncoder",
        "pointillist.conditioning.readers": "ConditionKwargs ConditionReader ConditionReaders count_images",
        "pointillist.conditioning.registry": (
            "ConditionConfig condition_kinds expand_condition parse_conditions register_condition unsupported_condition"
        ),
        "pointillist.conditioning.text": "TextConfig",
        "pointillist.conditioning.text_encoders.cache": "embedding_cache",
        "pointillist.conditioning.vector": "VectorConfig",
    },
)
