"""Measure the structure of a source tree: `python tools/measure_structure.py [--source src/pointillist] [--json]`.

The tree is parsed, never imported, so an old commit can be measured from a `git worktree`.

    lines               lines of all `.py` files; `files` counts them
    loose modules       `.py` files at the root of the package, `__init__` and `__main__` among them
    units               packages and loose modules at the root: the nodes of the import graph
    layers              units on the longest path of that graph (a group of units that import each other is one node)
    arrows              pairs (unit, unit it imports), also inside functions and under TYPE_CHECKING
    file cycles         groups of files that import each other, directly or through others, also inside functions and
                        under TYPE_CHECKING; an import of a name from a package counts as one of its `__init__`
    repeated settings   A setting is a field of a class `*Config` or `*Section` (pydantic model or dataclass) outside
                        `cli`, `bench`, `demo` and `studio`; those of sampling (classes `Sampling*`)
                        do not count. A name is declared once by each such class, by each function `build`, `train`
                        or `train_from_config` that has a parameter of that name with a default (the command `train`
                        is one), and by an option of `cli` that names it as a dotted key (`"train.lr"`) and gives it a
                        type, a default or a help text of its own. The configs
                        of `networks` are alternatives and count as one class; so do those of `conditioning`.
                        The figure is the number of names with more than one declaration; the declarations beyond
                        the first are added up as `extra`
    longest arguments   most parameters of a function, without `self`, `cls`, `*args` and `**kwargs`; also without
                        commands, and the number of functions with more than eight
    with an example     share of the classes and functions of any `__all__` whose docstring has `>>>`, a fenced or
                        indented block after `::`, or a heading `Example`; also of the root's `__all__` alone
    odd docstrings      docstrings (modules, classes, functions) that begin with What, Of, How, Whether or One
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]

ODD = ("What", "Of", "How", "Whether", "One")
EXAMPLE = re.compile(r">>> |```|^\s*(Examples?|Example usage)\s*:*\s*$|::\s*\n\s*\n\s+\S", re.MULTILINE)
ASSEMBLY = {"build", "train", "train_from_config"}
ALTERNATIVES = {"networks", "conditioning"}
OUTSIDE = {"cli", "bench", "demo", "studio"}
KEY = re.compile(r"(?:model|train)(?:\.\w+)+")
MOST = 8
TYPES = {"int", "float", "str", "bool", "Path"}


class Tree:
    """The parsed files of a package.

    Args:
        root: folder of the package.
    """

    def __init__(self, root: Path) -> None:
        self.name = root.name
        paths = sorted(root.rglob("*.py"))
        self.texts = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths}
        self.files = {file: ast.parse(text) for file, text in self.texts.items()}
        self.modules = {self._module(file): file for file in self.files}

    def _module(self, file: str) -> str:
        parts = [self.name, *file.removesuffix(".py").split("/")]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def imports(self, file: str) -> set[str]:
        """Files that a file imports, wherever the statement stands."""
        result: set[str] = set()
        package = self._module(file).split(".")
        if not file.endswith("__init__.py"):
            package = package[:-1]
        for node in ast.walk(self.files[file]):
            if isinstance(node, ast.Import):
                result |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*above, *([node.module] if node.module else [])])
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    result.add(inner if inner in self.modules else module)
        return {self.modules[module] for module in result if module in self.modules} - {file}

    def functions(self) -> Iterator[tuple[str, str, Function]]:
        """Every function with its file and its qualified name."""
        for file, tree in self.files.items():
            yield from ((file, name, node) for name, node in _functions(tree, ""))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        inner = f"{prefix}{child.name}." if isinstance(child, Function | ast.ClassDef) else prefix
        yield from _functions(child, inner)


def unit(file: str) -> str:
    """The package or loose module at the root to which a file belongs."""
    return file.split("/")[0].removesuffix(".py")


def components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Strongly connected components: nodes that reach each other."""
    reach = {node: _reachable(graph, node) for node in graph}
    result: dict[frozenset[str], None] = {}
    for node in graph:
        result[frozenset({node} | {other for other in reach[node] if node in reach[other]})] = None
    return [set(group) for group in result]


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    stack = [start]
    while stack:
        for node in graph[stack.pop()]:
            if node not in seen:
                seen.add(node)
                stack.append(node)
    return seen


def longest_path(graph: Mapping[str, set[str]]) -> int:
    """Nodes on the longest path; nodes that reach each other are one."""
    home = {node: i for i, group in enumerate(components(graph)) for node in group}
    condensed: dict[int, set[int]] = defaultdict(set)
    for node, others in graph.items():
        condensed[home[node]] |= {home[other] for other in others} - {home[node]}
    depth: dict[int, int] = {}
    for place in TopologicalSorter(condensed).static_order():
        depth[place] = 1 + max((depth[other] for other in condensed[place]), default=0)
    return max(depth.values(), default=0)


def parameters(function: Function) -> list[str]:
    """Names of the parameters, without `self`, `cls`, `*args` and `**kwargs`."""
    given = function.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
    return [name for name in names if name not in ("self", "cls")]


def _with_default(function: Function) -> set[str]:
    given = function.args
    optional = [*given.posonlyargs, *given.args][-len(given.defaults) :] if given.defaults else []
    return {argument.arg for argument in [*optional, *given.kwonlyargs]}


def fields(node: ast.ClassDef) -> set[str]:
    """Public annotated names of a class, without those of the class itself (`ClassVar`)."""
    return {
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(item.annotation)
    }


def declarations(tree: Tree) -> dict[str, set[str]]:
    """The places that declare each setting of a model or its training."""
    result: dict[str, set[str]] = defaultdict(set)
    for file, module in tree.files.items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Section")):
                if unit(file) in OUTSIDE or node.name.startswith("Sampling"):
                    continue
                place = f"configs of {unit(file)}" if unit(file) in ALTERNATIVES else f"{file}: {node.name}"
                for name in fields(node):
                    result[name].add(place)
    settings = set(result)
    for file, name, function in tree.functions():
        if name in ASSEMBLY and (unit(file) not in OUTSIDE or file == f"cli/{name}.py"):
            for parameter in settings & _with_default(function):
                result[parameter].add(f"{file}: {name}()")
    for file, module in tree.files.items():
        for node in ast.walk(module) if file.startswith("cli/") else ():
            for key in _option_keys(node):
                if key in settings:
                    result[key].add(f"{file}: option")
    return result


def _option_keys(node: ast.AST) -> set[str]:
    """Last words of the dotted keys that stand beside a `--flag` in a call."""
    if not isinstance(node, ast.Call):
        return set()
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if not any(text.startswith("--") for text in texts) or not _declares(node):
        return set()
    return {text.split(".")[-1] for text in texts if KEY.fullmatch(text)}


def _declares(option: ast.Call) -> bool:
    """Tell whether an option gives a type, a default or a help text, beside a flag, a key, a panel and a metavar."""
    typed = any(isinstance(a, ast.Call) or (isinstance(a, ast.Name) and a.id in TYPES) for a in option.args)
    return typed or any(keyword.arg in {"type", "default", "help"} for keyword in option.keywords)


def exported(tree: Tree, file: str) -> set[str]:
    """Names in the `__all__` of a file."""
    for node in tree.files[file].body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = getattr(node, "value", None)
            texts = ast.walk(value) if value is not None else ()
            return {text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)}
    return set()


def definition(tree: Tree, file: str, name: str, depth: int = 0) -> tuple[str, str, str | None] | None:
    """File, name and docstring of the class or function that a name of a file means, through re-exports."""
    for node in ast.walk(tree.files[file]):
        if isinstance(node, Function | ast.ClassDef) and node.name == name and node in tree.files[file].body:
            return file, name, ast.get_docstring(node)
        if isinstance(node, ast.ImportFrom) and node.module and depth < 9:
            for alias in node.names:
                source = tree.modules.get(node.module)
                if (alias.asname or alias.name) == name and source is not None and source != file:
                    return definition(tree, source, alias.name, depth + 1)
    return None


def documented(tree: Tree, files: list[str]) -> tuple[int, int]:
    """How many classes and functions of the `__all__` of these files have an example, and how many there are."""
    result = {
        (where[0], where[1]): where[2]
        for file in files
        for name in exported(tree, file)
        if (where := definition(tree, file, name)) is not None
    }
    return sum(bool(EXAMPLE.search(text or "")) for text in result.values()), len(result)


def odd_docstrings(tree: Tree) -> Counter[str]:
    """Docstrings by their first word, of the words that are not to begin one."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for module in tree.files.values() for node in ast.walk(module) if isinstance(node, kinds))
    words = [(ast.get_docstring(node) or "").split(" ")[0].rstrip(",:") for node in nodes]
    return Counter(word for word in words if word in ODD)


def measure(root: Path) -> dict[str, Any]:
    """All figures of a package."""
    tree = Tree(root)
    imports: Graph = {file: tree.imports(file) for file in tree.files}
    units: Graph = {unit(file): set() for file in tree.files}
    for file, others in imports.items():
        units[unit(file)] |= {unit(other) for other in others} - {unit(file)}
    cycles = [sorted(group) for group in components(imports) if len(group) > 1]
    places = {name: sorted(where) for name, where in sorted(declarations(tree).items()) if len(where) > 1}
    lists = sorted(((len(parameters(f)), f"{file}: {name}") for file, name, f in tree.functions()), reverse=True)
    inside = [entry for entry in lists if not entry[1].startswith("cli/")]
    public = [file for file in tree.files if exported(tree, file)]
    examples, root_examples = documented(tree, public), documented(tree, ["__init__.py"])
    odd = odd_docstrings(tree)
    return {
        "lines": sum(len(text.splitlines()) for text in tree.texts.values()),
        "files": len(tree.files),
        "loose_modules": sum("/" not in file for file in tree.files),
        "units": len(units),
        "layers": longest_path(units),
        "arrows": sum(len(others) for others in units.values()),
        "file_cycles": len(cycles),
        "cycles": cycles,
        "repeated_settings": len(places),
        "repeated_settings_extra": sum(len(where) - 1 for where in places.values()),
        "repeated": places,
        "longest_arguments": list(lists[0]),
        "longest_arguments_without_commands": list(inside[0]),
        "functions_over_eight_arguments": sum(count > MOST for count, _ in lists),
        "examples": {"with": examples[0], "of": examples[1]},
        "examples_of_the_root": {"with": root_examples[0], "of": root_examples[1]},
        "odd_docstrings": sum(odd.values()),
        "odd_docstrings_by_word": {word: odd[word] for word in ODD},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the structure of a source tree.")
    here = Path(__file__).parents[1] / "src" / "pointillist"
    parser.add_argument("--source", type=Path, default=here, help="folder of the package")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    result = measure(options.source.resolve())
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        if name in ("cycles", "repeated"):
            rows = value if name == "cycles" else [f"{key}: {'; '.join(where)}" for key, where in value.items()]
            for row in rows:
                print(f"    {row if isinstance(row, str) else ', '.join(row)}")
        else:
            print(f"{name.replace('_', ' '):36} {value}")


if __name__ == "__main__":
    main()
