"""Write `docs/reference/settings.md` and `rules.md` from the settings classes: `python tools/make_settings.py`.

Types, defaults and bounds are those of the pydantic fields, descriptions those of the docstrings. A test compares the
page with the classes.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pointillist.commands import run_options
from pointillist.conditioning import condition_kinds
from pointillist.networks import entry, names
from pointillist.sampling.rules.config import Rules
from pointillist.training.config import DataSection, ModelSection, TrainConfig

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
RULES_PAGE = PAGE.with_name("rules.md")
HEAD = """# Settings of a run

<!-- Made by tools/make_settings.py from the settings classes: do not edit. -->

A run is described by a TOML file with the tables `[model]`, `[data]` and `[train]`. Every setting has a default, so a
file holds only what differs:

```toml
[model]
type = "gated-pixelcnn"
preset = "small"

[model.network]
layers = 8

[data]
source = "uci-digits"

[train]
epochs = 10

[train.optimizer]
lr = 1e-3
```

`pointillist train --config run.toml` runs the file, and so does `pt.train_from_config("run.toml")`. A single setting is
changed by its dotted key: `--set train.optimizer.lr=5e-4` on the command line,
`pt.train_from_config("run.toml", train={"optimizer.lr": 5e-4})` in Python. Many settings have an option of their own,
such as `--lr`. Later sources win: defaults, the model of `--init-from`, `--preset`, `--config`, options, `--set`.

TOML has no null. Where the default is `none`, the string `"none"` stands for no value. `data.size` is written `32`,
`"48x64"` or `[48, 64]`, height first. The `run.toml` in the folder of a run holds all settings, resolved.
"""
LIMITS = {"Ge": "at least", "Gt": "above", "Le": "at most", "Lt": "below"}


RULES_HEAD = """# Rules of maps

<!-- Made by tools/make_settings.py from the settings classes: do not edit. -->

Rules are a TOML file, for `--rules` of `sample` and `inpaint`; the same tables as a dictionary, or `pt.Rules`, are the
keyword `rules=` of `pt.sample` and `pt.inpaint`. Every rule may be left out. How they are used, and what is drawn, is
described in [draw maps by rules](../how-to/worlds.md). A level is given by its name, or by its number.

"""


def rules_page() -> str:
    """Return the page of the rules of maps."""
    own = {name: field.annotation for name, field in Rules.model_fields.items()}
    tables = {name: table_of(annotation) for name, annotation in own.items()}
    parts = [section("Rules", Rules, skip=[name for name, table in tables.items() if table is not None])]
    for name, table in tables.items():
        if table is not None:
            title = f"[[{name}]]" if get_origin(own[name]) is tuple else f"[{name}]"
            parts.append(section(title, table))
    text = RULES_HEAD + "\n".join(parts)
    for words, plain in (
        ("list of list of 2 integer or stringss", "list of pairs of levels"),
        ("list of integer or strings", "list of levels"),
        ("integer or string", "level"),
    ):
        text = text.replace(words, plain)
    return text


def table_of(annotation: Any) -> type[BaseModel] | None:
    """Return the class of settings that a field holds, alone or in a list; None for another type."""
    result = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
    return result[0] if result else None


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, section("[model]", ModelSection, skip=("conditions", "network"))]
    parts.append("## `[model.conditions.KIND]`\n\n" + CONDITIONS)
    parts += [section(f"[model.conditions.{kind}]", config, level=3) for kind, config in condition_kinds().items()]
    parts.append("## `[model.network]`\n\n" + NETWORK)
    parts += [network(name) for name in names()]
    parts.append(section("[data]", DataSection))
    parts.append(section("[train]", TrainConfig, skip=tuple(groups(TrainConfig))))
    parts += [section(f"[train.{name}]", group) for name, group in groups(TrainConfig).items()]
    return "\n".join(parts)


CONDITIONS = """One table for each condition. A table may be left out: a model gets a label, attributes, a vector, a
hint or text wherever the training images have them. How to use conditions is described in
[condition and guide](../how-to/condition_and_guide.md); another kind can be
[added](../how-to/add_a_condition.md).
"""
NETWORK = """The settings depend on `model.type`. They override those of the preset. A preset whose name begins with
`paper` also sets the likelihood and the training of the paper.
"""


def section(title: str, config: type[BaseModel], *, skip: Iterable[str] = (), level: int = 2) -> str:
    """Return a table of settings with its heading."""
    rows = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    result = descriptions(config)
    for name, field in config.model_fields.items():
        if name not in skip:
            cells = (f"`{field.alias or name}`", kind(field.annotation, field.metadata), default(field), result[name])
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    summary = re.sub(r": `\[[\w.]+\]`.*", ".", " ".join((inspect.getdoc(config) or "").partition("\n\n")[0].split()))
    return f"{'#' * level} `{title}`\n\n{summary}\n\n" + "\n".join(rows) + "\n"


def network(name: str) -> str:
    """Return the table of the settings of a network, and its presets."""
    model = entry(name)
    text = section(name, model.backbone.Config, level=3)
    lines = []
    for preset in model.preset_names:
        settings = ", ".join(f"{key} = {toml(value)}" for key, value in model.network_settings(preset).items())
        lines.append(f"- `{preset}`: {f'`{settings}`' if settings else 'the defaults'}")
    return text + "\nPresets:\n\n" + "\n".join(lines) + "\n"


def groups(config: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the nested tables of a class of settings."""
    hints = {name: field.annotation for name, field in config.model_fields.items()}
    return {name: a for name, a in hints.items() if isinstance(a, type) and issubclass(a, BaseModel)}


def descriptions(config: type[BaseModel]) -> dict[str, str]:
    """Return the entries under `Attributes:` in the docstrings of a class and its bases, by field.

    Raises:
        ValueError: if a field has no entry.
    """
    result = {name: _sentence(text) for name, text in run_options.descriptions(config).items()}
    missing = [name for name in config.model_fields if name not in result]
    if missing:
        raise ValueError(f"{config.__name__} does not describe {', '.join(missing)}: add an entry under `Attributes:`.")
    return result


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".") + "."
    return text if re.match(r"[a-z]\b", text) else text[:1].upper() + text[1:]  # not the `h` of a formula


def kind(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return a type in words, with its bounds."""
    limits = [
        f"{LIMITS[type(rule).__name__]} {getattr(rule, type(rule).__name__.lower())}"
        for rule in metadata
        if type(rule).__name__ in LIMITS
    ]
    counts = [rule.min_length for rule in metadata if isinstance(rule, annotated_types.MinLen)]
    words = _words(annotation)
    return ", ".join([words, *limits, *(f"{count} or more" for count in counts if count)])


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    plain = {int: "integer", float: "number", bool: "boolean", str: "string", Path: "path", Any: "any"}
    if annotation in plain:
        return plain[annotation]
    if origin is Annotated:
        limits = [rule for item in arguments[1:] for rule in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return kind(arguments[0], limits)
    if origin is Literal:
        return ", ".join(f'`"{value}"`' for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(item) for item in arguments if item is not type(None))
    if origin is tuple:
        item = _words(arguments[0]).partition(",")
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"list of {count}{item[0]}s" + (f" ({item[2].strip()})" if item[2] else "")
    if origin is dict:
        return f"table of {_words(arguments[1])}" + ("" if _words(arguments[1]).startswith("list") else "s")
    return f"table (`{annotation.__name__}`)"


def default(field: FieldInfo) -> str:
    """Return the default as TOML."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{toml(value)}`"


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value) if isinstance(value, (str, bool)) else str(ast.literal_eval(repr(value)))


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    RULES_PAGE.write_text(rules_page(), encoding="utf-8")
