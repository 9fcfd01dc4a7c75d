"""Settings, help texts and class names that are declared more than once."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from structure.source import Tree, unit, with_default

ASSEMBLY = {"build": "model", "train": "train", "train_from_config": "run"}
"""The table of a run file whose settings these functions take as keywords."""
TABLES = {"data": "data", "training": "train", "conditioning": "model.conditions"}
"""The table in which the settings of a package stand; those of other packages stand in `model`."""
PARTS_OF_MODELS = {"networks", "conditioning"}
FAMILIES = dict.fromkeys(PARTS_OF_MODELS, "parts") | dict.fromkeys(("jobs", "commands"), "commands")
OF_A_RUN = PARTS_OF_MODELS | {"model", "training", "data"}
OUTSIDE = {"studio"}
SETTINGS_CLASSES = ("Config", "Section", "Settings", "Options")
DECLARING_CALLS = ("option", "Option", "Argument", "Field", "Setting", "setting", "argument")
KEY = re.compile(r"(?:model|train)(?:\.\w+)+")
TYPES = {"int", "float", "str", "bool", "Path"}


def fields(node: ast.ClassDef) -> set[str]:
    """Public annotated names of a class, without those of the class itself (`ClassVar`)."""
    return {
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(item.annotation)
        and not _of_sampling(item.value)
    }


def _of_sampling(value: ast.expr | None) -> bool:
    """Return True for a field that takes its type from `SamplingConfig`, which declares it."""
    call = value.func if isinstance(value, ast.Call) else None
    return getattr(call, "id", getattr(call, "attr", "")) in ("sampling_option", "sampling_field")


def repeated_settings(tree: Tree) -> dict[str, list[str]]:
    """The places that declare each setting that is declared more than once."""
    places = declarations(tree)
    return {name: sorted(where) for name, where in sorted(places.items()) if len(where) > 1}


def declarations(tree: Tree) -> dict[str, set[str]]:
    """The places that declare each setting; its table in a run file, or `use`, stands before the name."""
    result: dict[str, set[str]] = defaultdict(set)
    for file, node in tree.classes():
        if node.name.endswith(SETTINGS_CLASSES) and unit(file) not in OUTSIDE:
            family = FAMILIES.get(unit(file))
            of_a_run = unit(file) in OF_A_RUN and not node.name.startswith(("Sampling", "Generation"))
            for name in fields(node):
                table = _table(file, node.name) if of_a_run else "use"
                result[f"{table}.{name}"].add(f"settings of {family}" if family else file)
    settings = set(result)
    for file, name, function in tree.functions:
        if name in ASSEMBLY:
            for parameter in settings & {f"{ASSEMBLY[name]}.{parameter}" for parameter in with_default(function)}:
                result[parameter].add(f"{file}: {name}()")
    for file, node in _calls(tree):
        if "cli/" in file:
            for key in settings & _option_keys(node):
                result[key].add(f"{file}: option")
    return result


def _table(file: str, name_of_class: str) -> str:
    """The table of a run file whose settings a class declares: the sections of a run stand in one package."""
    for table in ("Model", "Data", "Run"):
        if name_of_class.startswith(table):
            return table.lower()
    return TABLES.get(unit(file), "model")


def _calls(tree: Tree) -> Iterator[tuple[str, ast.Call]]:
    for file, nodes in tree.nodes.items():
        yield from ((file, node) for node in nodes if isinstance(node, ast.Call))


def _option_keys(node: ast.Call) -> set[str]:
    """Tables and last words of the dotted keys that stand next to a `--flag` in a call."""
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if not any(text.startswith("--") for text in texts) or not _declares(node):
        return set()
    keys = [text.split(".") for text in texts if KEY.fullmatch(text)]
    return {f"{'model.conditions' if 'conditions' in key else key[0]}.{key[-1]}" for key in keys}


def _declares(option: ast.Call) -> bool:
    """Return True if an option gives a type, a default or a help text, besides a flag, key, panel and metavar."""
    typed = any(isinstance(a, ast.Call) or (isinstance(a, ast.Name) and a.id in TYPES) for a in option.args)
    return typed or any(keyword.arg in {"type", "default", "help"} for keyword in option.keywords)


def repeated_help_texts(tree: Tree) -> dict[str, list[str]]:
    """The places of each help text of an option or a field that stands more than once, to the letter."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, node in _calls(tree):
        callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if callee.endswith(DECLARING_CALLS):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            for text in {a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)}:
                if " " in text and text.endswith("."):
                    places[text].append(f"{file}:{node.lineno}")
    return {text: where for text, where in sorted(places.items()) if len(where) > 1}


def repeated_classes(tree: Tree) -> dict[str, list[str]]:
    """The files of each class name that is defined more than once, without private names."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, node in tree.classes():
        if not node.name.startswith("_") and node in tree.files[file].body:
            places[node.name].append(file)
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}
