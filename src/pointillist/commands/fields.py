"""Fields of the config classes by dotted key, such as `train.optimizer.lr`: type, default and description."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

_PLAIN = (bool, int, float, str, Path)


class ConfigField(NamedTuple):
    """A field of a config class, as an option of the command line.

    Attributes:
        type: type of the option; an enumeration for choices; text where the field takes several types.
        is_union: True if the field takes several types, so that its text is to be parsed as a TOML value.
        default: default of the field.
        description: first sentence of its entry in the docstring of the class.
    """

    type: Any
    is_union: bool
    default: Any
    description: str


def config_field(key: str) -> ConfigField:
    """Look up the field at a dotted key of a run file.

    ```python
    config_field("train.optimizer.lr").default  # 0.002
    ```

    Raises:
        KeyError: if there is no such field.
    """
    config, name = _owner(key)
    field = config.model_fields[name]
    types = _types(field.annotation)
    result: Any = types[0] if len(types) == 1 else str
    if isinstance(result, tuple):
        result = _choice(name, result)
    sentence = re.split(r"(?<=\.) (?=[A-Z])", descriptions(config)[name].replace("`", ""))[0]
    default = field.get_default(call_default_factory=True)
    return ConfigField(result, len(types) > 1, default, sentence[:1].upper() + sentence[1:])


def _choice(name: str, values: tuple[str, ...]) -> Any:
    """Make an enumeration of the values, which is how typer lists choices."""
    return StrEnum(name.capitalize(), {value: value for value in values})


def default_value(key: str) -> Any:
    """Return the default at a dotted key of a run file, JSON-compatible; None if the key is unknown."""
    try:
        config, name = _owner(key)
        default = config.model_fields[name].get_default(call_default_factory=True)
    except KeyError:
        return None
    return list(default) if isinstance(default, tuple) else default


def descriptions(config: type[BaseModel]) -> dict[str, str]:
    """Read the entries under `Attributes:` in the docstrings of a class and its bases, by field."""
    result: dict[str, str] = {}
    for base in reversed(config.__mro__):
        text = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")[2]
        text = re.split(r"\n\n\w+:\n|\n```", text)[0]
        for item in re.split(r"\n    (?=\S)", "\n" + text):
            names, _, description = " ".join(item.split()).partition(": ")
            result |= dict.fromkeys(names.split(", "), description)
    return result


def _owner(key: str) -> tuple[type[BaseModel], str]:
    """Find the class with the field at a key, and the name of the field."""
    from pointillist.conditioning.registry import condition_kinds
    from pointillist.training.config import DataSection, ModelSection, TrainConfig

    section, *groups, name = key.split(".")
    sections: dict[str, type[BaseModel]] = {"data": DataSection, "model": ModelSection, "train": TrainConfig}
    config = sections[section]
    if groups[:1] == ["conditions"]:
        config, groups = condition_kinds()[groups[1]], []
    for group in groups:
        annotation = config.model_fields[group].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            raise KeyError(key)
        config = annotation
    if name not in config.model_fields:
        raise KeyError(key)
    return config, name


def _types(annotation: Any) -> list[Any]:
    """List the types of an annotation, without None; a literal type is the tuple of its values."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return [annotation]
    if origin is Annotated:
        return _types(arguments[0])
    if origin is Literal:
        return [arguments]
    if origin is Union or isinstance(annotation, type(int | str)):
        return [item for argument in arguments if argument is not type(None) for item in _types(argument)]
    return [str]  # tuples are written as text: 48x64, hair,eyes
