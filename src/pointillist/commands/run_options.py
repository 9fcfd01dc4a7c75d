"""Options of the command line for settings of a run file.

Type, default and description of an option come from the field at its key. The config classes are imported when
they are asked for: `pointillist --help` does not wait for them.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pointillist.commands.settings import FLAG, Option, Setting

if TYPE_CHECKING:
    from pydantic import BaseModel

_PLAIN = (bool, int, float, str, Path)


@dataclass(frozen=True)
class RunOption:
    """An option for a setting of a run file.

    ```python
    RunOption("--lr", "train.optimizer.lr", "Training", "X").setting.option.help  # "Peak learning rate. ..."
    ```

    Attributes:
        flags: such as `--lr`, or `--labels/--no-labels`.
        key: dotted key in a run file.
        panel: heading of the help page.
        metavar: name of the value on the help page.
        turns_off: True if the flag sets the setting to False.
        help: help of a flag that turns off, whose field is described the other way round.
        needs: keys, of which one must be set for this one to have an effect.
    """

    flags: str
    key: str
    panel: str
    metavar: str = FLAG
    turns_off: bool = False
    help: str | None = None
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.flags.split("/")[0].strip("-").replace("-", "_")

    @property
    def setting(self) -> Setting:
        """The option with the type and the description of its field; without a value, nothing is set."""
        field = config_field(self.key)
        help_text = f"{self.help or field.description}{_default_text(field.default)}"
        help_text = help_text.replace("[", "(").replace("]", ")")  # brackets are markup on the help page
        option = Option(self.metavar, help_text, flags=(self.flags,), panel=self.panel, show_default=False)
        return Setting(self.name, field.type | None, None, option)

    def value(self, typed: Any) -> Any:
        """Convert text from the command line to the value of the setting."""
        from pointillist.files.settings_tree import parse_value

        if isinstance(typed, StrEnum):
            return str(typed)
        if config_field(self.key).is_union:
            return parse_value(typed)
        return not typed if self.turns_off else typed


def _default_text(default: Any) -> str:
    if default is None or default == () or isinstance(default, bool):
        return ""
    if isinstance(default, tuple):
        return f" Default: {','.join(default)}."
    return f" Default: {default:g}." if isinstance(default, float) else f" Default: {default}."


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
    sentence = re.split(r"(?<=\.) (?=[A-Z])", descriptions(config)[name].replace("`", ""))[0]
    default = field.get_default(call_default_factory=True)
    is_union = len(types) > 1
    return ConfigField(str if is_union else types[0], is_union, default, sentence[:1].upper() + sentence[1:])


def default_value(key: str, unknown: Any) -> Any:
    """Return the default at a dotted key of a run file, JSON-compatible; `unknown` for a key of another release."""
    from pointillist.files.arrays import plain

    try:
        config, name = _owner(key)
        default = config.model_fields[name].get_default(call_default_factory=True)
    except KeyError:
        table, _, name = key.rpartition(".")  # such as the shares of masks
        entries = default_value(table, None) if "." in table else None
        return entries.get(name) if isinstance(entries, dict) else unknown
    return plain(default)


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
    from pydantic import BaseModel

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
    """List the types of an annotation, without None; for choices an enumeration, from which typer lists them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return [annotation]
    if origin is Annotated:
        return _types(arguments[0])
    if origin is Literal:
        return [StrEnum("Choice", {str(value): str(value) for value in arguments})]
    if origin in (Union, UnionType):
        return [item for argument in arguments if argument is not type(None) for item in _types(argument)]
    return [str]  # tuples are written as text: 48x64, hair,eyes
