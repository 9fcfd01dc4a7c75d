"""Trees of settings: TOML text, dotted keys, overrides, and checks that name a wrong setting by its dotted key.

A tree is a nested dictionary. The dotted key `train.optimizer.lr` stands for `tree["train"]["optimizer"]["lr"]`.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from pointillist.errors import ConfigError, format_validation_error, quote
from pointillist.files.reading import parse_toml, read_text

Tree = dict[str, Any]
Config = TypeVar("Config", bound=BaseModel)
UNSET = "none"
"""The word for "no value": TOML has no null."""


def split_names(name: str, text: str, separator: str = ",") -> tuple[str, ...]:
    """Split a list of names; an empty name is an error, and is not left out.

    ```python
    split_names("label", "3,,4")  # ConfigError: `label` (='3,,4') has an empty name: leave out a `,`, or ...
    ```

    Raises:
        ConfigError: naming the setting and its value.
    """
    parts = tuple(part.strip() for part in text.split(separator))
    if not any(parts):
        raise ConfigError(f"`{name}` (={quote(text)}) names nothing: give a name, or leave it out.")
    if not all(parts):
        raise ConfigError(
            f"`{name}` (={quote(text)}) has an empty name: leave out a `{separator}`, or write what is missing."
        )
    return parts


class WordedSettings(BaseModel):
    """Base of settings that users construct: the constructor raises a `ConfigError` of one sentence.

    ```python
    pt.ImageSpec(channels="x", height=8, width=8)  # ConfigError: `channels` (='x') is not valid for a kind of image ...
    ```

    Attributes:
        what: description of a setting, with an article.
    """

    what: ClassVar[str]

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(format_validation_error(error, self.what)) from error

    # so that pydantic validates fields of such a class without its constructor: an error names the whole path
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class StrictNumbers(BaseModel):
    """Base of settings whose numbers are neither true nor false: pydantic takes these for 1 and 0.

    ```python
    pt.build("pixelcnn", (1, 8, 8), layers=True)  # ConfigError: `layers` (=True) is not valid ...
    ```
    """

    @field_validator("*", mode="before")
    @classmethod
    def _reject_bool(cls, value: Any, info: Any) -> Any:
        types = _types(cls.model_fields[str(info.field_name)].annotation) if isinstance(value, bool) else set()
        if types & {int, float} and bool not in types:
            raise ValueError("Input should be a number")
        return value


class FrozenSettings(StrictNumbers, WordedSettings):
    """Base of settings that users construct and cannot change; `repr` shows those that are not defaults.

    ```python
    repr(pt.DataOptions(size=8))  # "DataOptions(size=(8, 8))"
    ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        fields = type(self).model_fields
        return [(name, value) for name, value in super().__repr_args__() if value != fields[str(name)].default]


def read_toml(path: Path) -> Tree:
    """Read a TOML file.

    Raises:
        ConfigError: if the file does not exist or is not valid TOML.
    """
    remedy = "give a TOML file, such as the run.toml of a run folder"
    return parse_toml(read_text(path, "utf-8-sig", error=ConfigError, remedy=remedy), str(path))


def parse_assignment(text: str) -> tuple[str, Any]:
    """Parse `a.b=value` into a dotted key and a TOML value; a bare word is a string.

    Raises:
        ConfigError: if there is no dotted key or no `=`.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not re.fullmatch(r"\w+(\.\w+)+", key):
        raise ConfigError(f"`--set` (={quote(text)}) must be SECTION.NAME=VALUE, for example train.optimizer.lr=1e-3.")
    return key, parse_value(value.strip())


def parse_value(text: str) -> Any:
    """Parse a TOML value; text that is not valid TOML is returned as it is."""
    try:
        parsed = parse_toml(f"value = {text}", "The value")
    except ConfigError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def nested(key: str, value: Any) -> Tree:
    """Return the tree with a value at a dotted key.

    ```python
    nested("optimizer.lr", 1e-3)  # {"optimizer": {"lr": 1e-3}}
    ```
    """
    for name in reversed(key.split(".")):
        value = {name: value}
    tree: Tree = value
    return tree


def expand(settings: Mapping[str, object]) -> Tree:
    """Turn dotted keys into nested tables: `{"optimizer.lr": 1e-3}` becomes `{"optimizer": {"lr": 1e-3}}`.

    Raises:
        ConfigError: as `merge`.
    """
    return merge(*(nested(key, value) for key, value in settings.items()))


def flatten(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Iterate over the dotted keys and values of a tree: the inverse of `expand`."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def merge(*trees: Mapping[str, object], prefix: str = "") -> Tree:
    """Merge trees into a new one; the value of a later tree wins, setting by setting.

    Raises:
        ConfigError: if a number or a list stands where a later tree has settings; `prefix` is before their keys.
    """
    out: Tree = {}
    for tree in trees:
        for key, value in tree.items():
            if isinstance(value, Mapping) and isinstance(out.get(key), (int, float, list)) and out[key] is not False:
                below, _ = next(flatten(value, f"{prefix}{key}."), (f"{prefix}{key}.", None))
                rule = f"`{prefix}{key}` holds a value, {quote(out[key])}, and must hold settings, as a TOML table"
                raise ConfigError(f"`{below}` is not a setting: {rule}.")
            if isinstance(value, Mapping) and isinstance(out.get(key), dict):
                out[key] = merge(out[key], value, prefix=f"{prefix}{key}.")
            else:
                out[key] = copy.deepcopy(value)
    return out


def without_none(tree: Tree) -> Tree:
    """Copy a tree without the settings that are None."""
    return {k: without_none(v) if isinstance(v, dict) else v for k, v in tree.items() if v is not None}


def check_keys(tree: Any, known: type[BaseModel] | Sequence[str], prefix: str = "") -> None:
    """Check that every key of a tree is a known setting, in nested tables too.

    Args:
        known: a config class, or the names of a table without nested tables.
        prefix: dotted key of the tree with a dot at its end, for messages.

    Raises:
        ConfigError: naming the unknown key, with close spellings.
    """
    if not isinstance(tree, Mapping):
        raise ConfigError(f"`{prefix.rstrip('.')}` (={quote(tree)}) must hold settings, as a TOML table.")
    names = list(known.model_fields) if isinstance(known, type) else list(known)
    for key, value in tree.items():
        if key not in names:
            raise ConfigError(f"`{prefix}{key}` is not a setting: {_suggestion(str(key), known, names, prefix)}")
        table = _table(known, key)
        if table is not None and not isinstance(value, table):
            check_keys(value, table, f"{prefix}{key}.")


def parse_section(kind: type[Config], tree: Any, section: str = "") -> Config:
    """Build a config from a tree.

    Args:
        section: dotted key of the tree, for messages.

    Raises:
        ConfigError: naming the first wrong setting by its dotted key, its value and its rule.
    """
    prefix = f"{section}." if section else ""
    check_keys(tree, kind, prefix)
    fields = kind.model_fields
    values = {k: v for k, v in tree.items() if not (isinstance(v, str) and v == UNSET and fields[k].default is None)}
    try:
        return kind.model_validate(values)
    except ConfigError as error:  # configs of other packages word their errors themselves, with the bare name
        raise ConfigError(re.sub(r"^`(?=\w+`)", f"`{prefix}", str(error))) from None
    except ValidationError as error:
        raise ConfigError(_sentence(error, kind, prefix)) from None


def _types(annotation: Any) -> set[Any]:
    """Return the types of an annotation, without those that hold others."""
    parts = get_args(annotation)
    return {part for each in parts for part in _types(each)} if parts else {annotation}


def _table(known: type[BaseModel] | Sequence[str], key: str) -> type[BaseModel] | None:
    """Find the config class of a nested table; None for a plain setting."""
    annotation = known.model_fields[key].annotation if isinstance(known, type) and key in known.model_fields else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _suggestion(key: str, known: type[BaseModel] | Sequence[str], names: list[str], prefix: str) -> str:
    by_name = {name: name for name in names}
    for name in names:
        table = _table(known, name)
        for inner in () if table is None else table.model_fields:
            by_name.setdefault(inner, f"{name}.{inner}")
    close = difflib.get_close_matches(key, list(by_name), n=2, cutoff=0.5)
    if close and close[0] == key:
        close = close[:1]
    if close:
        return f"did you mean {' or '.join(f'`{prefix}{by_name[name]}`' for name in close)}?"
    return f"choose one of {', '.join(names)}."


def _sentence(error: ValidationError, kind: type[BaseModel], prefix: str) -> str:
    """Word the first error of a validation; the alternatives of a union are rules of one setting."""
    errors = error.errors(include_url=False)
    key = _dotted_key(errors[0]["loc"], kind)
    messages = [result["msg"] for result in errors if _dotted_key(result["loc"], kind) == key]
    rules = dict.fromkeys(
        text.removeprefix("Value error, ").removeprefix("Input should be ").partition(", unable to")[0]
        for text in (message.replace("Field required", "a longer list") for message in messages)
    )
    return f"`{prefix}{key}` (={quote(errors[0]['input'])}) must be {' or '.join(rules)}."


def _dotted_key(location: Sequence[int | str], kind: type[BaseModel]) -> str:
    keys: list[str] = []
    table: type[BaseModel] | None = kind
    for part in location:
        if table is None or part not in table.model_fields:
            break
        keys.append(str(part))
        table = _table(table, str(part))
    return ".".join(keys)
