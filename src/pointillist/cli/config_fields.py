"""Settings as their config classes declare them: type, default and description, read from the source.

Importing the classes would import torch, and `--help` must answer at once; so the source is parsed instead. A test
compares the result with the classes themselves.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
SECTIONS = {
    "data": ("data/options.py", "DataOptions"),
    "model": ("training/run_config.py", "ModelSection"),
    "train": ("training/config.py", "TrainConfig"),
}
"""File and class of each section of a run file."""


@dataclass(frozen=True)
class ConfigField:
    """A field of a config class.

    Attributes:
        type: type of a command-line option for the field; text where the field takes several types.
        is_union: True if the field takes several types, so that its text is to be parsed as a TOML value.
        default: default of the field.
        description: first sentence of its entry in the docstring of the class.
    """

    type: Any
    is_union: bool
    default: Any
    description: str


def config_field(key: str) -> ConfigField:
    """Look up the field at a dotted key of a run file, such as `train.optimizer.lr`.

    Raises:
        KeyError: if there is no such field.
    """
    section, *groups, name = key.split(".")
    file, class_name = SECTIONS[section]
    if groups[:1] == ["conditions"]:
        file, class_name = _condition(groups[1])
        groups = []
    for group in groups:
        file, class_name = _defining(file, ast.unparse(_fields(file, class_name)[group].annotation))
    file, class_name = _declaring(file, class_name, name)
    node = _fields(file, class_name)[name]
    kinds = _union(node.annotation, file)
    result: Any = kinds[0] if len(kinds) == 1 else str
    if isinstance(result, tuple):
        result = _choice(name, result)
    return ConfigField(result, len(kinds) > 1, _default(node.value), _descriptions(file, class_name)[name])


def default_value(key: str) -> Any:
    """Return the default at a dotted key of a run file, as JSON holds it; None where there is no such field."""
    try:
        default = config_field(key).default
    except (KeyError, AttributeError, ValueError):
        return None
    return list(default) if isinstance(default, tuple) else default


def _choice(name: str, values: tuple[str, ...]) -> Any:
    """Make an enumeration of the values, which is how typer lists choices."""
    return StrEnum(name.capitalize(), {value: value for value in values})


@cache
def _condition(kind: str) -> tuple[str, str]:
    """Find the file and class of the settings of a kind of condition."""
    for path in sorted((PACKAGE / "conditioning").glob("*.py")):
        file = f"conditioning/{path.name}"
        for node in _module(file).body:
            if isinstance(node, ast.ClassDef):
                own = _fields(file, node.name).get("kind")
                if own is not None and own.value is not None and ast.literal_eval(own.value) == kind:
                    return file, node.name
    raise KeyError(f"there is no condition {kind}")


def _declaring(file: str, class_name: str, field: str) -> tuple[str, str]:
    """Find the class that declares a field: the class itself or one of its bases."""
    if field in _fields(file, class_name):
        return file, class_name
    for base in _class(file, class_name).bases:
        name = ast.unparse(base)
        for node in _module(file).body:
            if isinstance(node, ast.ImportFrom) and _imports(node, name):
                return _declaring(str(node.module).removeprefix("pointillist.").replace(".", "/") + ".py", name, field)
    raise KeyError(f"{class_name} has no field {field}")


def _defining(file: str, class_name: str) -> tuple[str, str]:
    """Find the file that defines a class: the file itself, or one from which it imports the class."""
    for node in _module(file).body:
        if isinstance(node, ast.ImportFrom) and _imports(node, class_name):
            return str(node.module).removeprefix("pointillist.").replace(".", "/") + ".py", class_name
    return file, class_name


def _imports(node: ast.ImportFrom, name: str) -> bool:
    """Return whether a statement imports a name from this package."""
    return (node.module or "").startswith("pointillist.") and name in [alias.name for alias in node.names]


@cache
def _module(file: str) -> ast.Module:
    return ast.parse((PACKAGE / file).read_text(encoding="utf-8"))


@cache
def _class(file: str, name: str) -> ast.ClassDef:
    for node in _module(file).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise KeyError(f"{file} has no class {name}")


def _fields(file: str, class_name: str) -> dict[str, ast.AnnAssign]:
    body = _class(file, class_name).body
    return {n.target.id: n for n in body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}


@cache
def _descriptions(file: str, class_name: str) -> dict[str, str]:
    """Read the first sentence of each entry under `Attributes:`, without backticks."""
    text = (ast.get_docstring(_class(file, class_name)) or "").partition("Attributes:\n")[2]
    result = {}
    for entry in re.split(r"\n    (?=\w)", "\n" + text):
        names, _, description = " ".join(entry.split()).partition(": ")
        sentence = re.split(r"(?<=\.) (?=[A-Z])", description.replace("`", ""))[0]
        for name in names.split(", "):
            result[name] = sentence[:1].upper() + sentence[1:]
    return result


def _union(node: ast.expr, file: str) -> list[Any]:
    """List the types of an annotation, without None; a literal type is the tuple of its values."""
    if isinstance(node, ast.BinOp):
        return [*_union(node.left, file), *_union(node.right, file)]
    if isinstance(node, ast.Constant) and node.value is None:
        return []
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value)
        if outer == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return [tuple(ast.literal_eval(value) for value in values)]
        if outer == "Annotated":
            assert isinstance(node.slice, ast.Tuple)
            return _union(node.slice.elts[0], file)
        return [str]  # tuples are written as text: 48x64, hair,eyes
    name = ast.unparse(node)
    plain = {"int": int, "float": float, "str": str, "bool": bool, "Path": str}
    return [plain[name]] if name in plain else _alias(name, file)


def _alias(name: str, file: str) -> list[Any]:
    """Resolve a type alias of a module, or one that it imports."""
    for node in _module(file).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return _union(node.value, file)
        if isinstance(node, ast.ImportFrom) and _imports(node, name):
            return _alias(name, str(node.module).removeprefix("pointillist.").replace(".", "/") + ".py")
    raise KeyError(f"{file} has no type {name}")


def _default(node: ast.expr | None) -> Any:
    """Evaluate a default, also the first argument of `Field`."""
    if isinstance(node, ast.Call):
        node = node.args[0] if node.args else None
    return None if node is None else ast.literal_eval(node)
