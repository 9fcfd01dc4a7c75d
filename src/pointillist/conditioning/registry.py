"""Registry of the kinds of conditions. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pointillist.conditioning.attributes import AttributesConfig
from pointillist.conditioning.hint import HintConfig
from pointillist.conditioning.known import KnownConfig
from pointillist.conditioning.label import LabelConfig
from pointillist.conditioning.portable import PortableEncoder
from pointillist.conditioning.settings import ConditionConfig
from pointillist.conditioning.text import TextConfig
from pointillist.conditioning.vector import VectorConfig
from pointillist.errors import ConfigError, choices, format_validation_error
from pointillist.files.suggestions import remedy
from pointillist.images import ImageSpec

DEDICATED = ("label", "attributes", "hint", "text", "known")
"""Kinds with dedicated options and fields; a value of any other is given by its name."""

_KINDS: dict[str, type[ConditionConfig]] = {
    config.kind: config for config in (LabelConfig, AttributesConfig, VectorConfig, HintConfig, TextConfig, KnownConfig)
}


def condition_kinds() -> dict[str, type[ConditionConfig]]:
    """Registered settings classes by kind, in the order of their features in a model.

    ```python
    list(condition_kinds())  # ["label", "attributes", "vector", "hint", "text", "known"]
    ```
    """
    return dict(_KINDS)


def register_condition(config: type[ConditionConfig]) -> type[ConditionConfig]:
    """Register a kind of condition; usable as a class decorator.

    ```python
    @register_condition
    class BrightnessConfig(ConditionConfig):
        kind = "brightness"
        ...
    ```

    Raises:
        ConfigError: if the kind is taken by another class.
    """
    taken = _KINDS.get(config.kind)
    if taken is not None and (taken.__module__, taken.__qualname__) != (config.__module__, config.__qualname__):
        raise ConfigError(f"`kind` (={config.kind!r}) is taken by {taken.__name__}: choose another name.")
    _KINDS[config.kind] = config
    return config


def unsupported_condition(keyword: str, value: Any) -> ConfigError:
    """Return the error for a condition that a model was not trained with.

    ```python
    raise unsupported_condition("text", "a red dragon")
    ```
    """
    if keyword not in _KINDS:
        return ConfigError(f"`{keyword}` is not a condition: {remedy('log_prob', keyword, tuple(_KINDS))}.")
    return _KINDS[keyword].unsupported(value)


def portable_encoders() -> dict[str, type[PortableEncoder]]:
    """Return the classes of encoders that work without torch, by their key in `program.json`.

    ```python
    list(portable_encoders())  # ["attributes", "vectors", "hints", "prompts", "tokens", "known"]
    ```
    """
    return {portable.key: portable for config in _KINDS.values() for portable in config.portable}


def parse_conditions(tree: Mapping[str, Any]) -> dict[str, ConditionConfig]:
    """Parse a table of conditions, `{"label": {"classes": [...]}, ...}`, in the order of the registry.

    ```python
    parse_conditions({"label": {"classes": ("cat", "dog")}})["label"].width  # 64
    ```

    Raises:
        ConfigError: naming the first kind or setting that is wrong.
    """
    unknown = [kind for kind in tree if kind not in _KINDS]
    if unknown:
        raise ConfigError(f"There is no condition `{unknown[0]}`: {choices(unknown[0], _KINDS)}")
    return {kind: _parsed(kind, tree[kind]) for kind in _KINDS if tree.get(kind) is not None}


def expand_condition(kind: str, value: Any, image: ImageSpec) -> ConditionConfig:
    """Expand a short value, such as the size of a vector, to the settings of a condition.

    ```python
    expand_condition("vector", 3, image).size  # 3
    ```

    Raises:
        ConfigError: if the value is not one of this condition.
    """
    if isinstance(value, ConditionConfig):
        return value
    try:
        return _KINDS[kind].of(value, image)
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, f"a setting of the condition {kind}")) from error


def _parsed(kind: str, settings: Any) -> ConditionConfig:
    config = _KINDS[kind]
    if isinstance(settings, config):
        return settings
    if not isinstance(settings, Mapping):
        raise ConfigError(f"`conditions.{kind}` (={settings!r}) must be a table of settings, or left out.")
    try:
        return config(**settings)
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, f"a setting of the condition {kind}")) from error
