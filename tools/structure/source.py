"""The parsed files of a package, and the graph of their imports. Nothing is imported."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]


class Tree:
    """The parsed files of a package; what a stub (`.pyi`) says of a file is part of the file.

    Args:
        root: folder of the package.
    """

    def __init__(self, root: Path) -> None:
        self.name = root.name
        paths = sorted(root.rglob("*.py"))
        self.texts = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths}
        self.files = {file: ast.parse(text) for file, text in self.texts.items()}
        for stub in root.rglob("*.pyi"):  # after the docstring, before names that are computed
            file = stub.with_suffix(".py").relative_to(root).as_posix()
            self.files[file].body[1:1] = ast.parse(stub.read_text(encoding="utf-8")).body
        self.nodes = {file: list(ast.walk(tree)) for file, tree in self.files.items()}
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
        for node in self.nodes[file]:
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

    def classes(self) -> Iterator[tuple[str, ast.ClassDef]]:
        """Every class with its file."""
        for file, nodes in self.nodes.items():
            yield from ((file, node) for node in nodes if isinstance(node, ast.ClassDef))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        inner = f"{prefix}{child.name}." if isinstance(child, Function | ast.ClassDef) else prefix
        yield from _functions(child, inner)


def unit(file: str) -> str:
    """The package or loose module at the root to which a file belongs."""
    return file.split("/")[0].removesuffix(".py")


def unit_graph(imports: Graph) -> Graph:
    """The graph of packages and loose modules at the root, from that of files."""
    result: Graph = {unit(file): set() for file in imports}
    for file, others in imports.items():
        result[unit(file)] |= {unit(other) for other in others} - {unit(file)}
    return result


def components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Strongly connected components: nodes that reach each other."""
    try:
        return [{node} for node in TopologicalSorter(graph).static_order()]
    except CycleError:
        pass
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
    for group in TopologicalSorter(condensed).static_order():
        depth[group] = 1 + max((depth[other] for other in condensed[group]), default=0)
    return max(depth.values(), default=0)


def parameters(function: Function) -> list[str]:
    """Names of the parameters, without `self`, `cls`, `*args` and `**kwargs`."""
    arguments = function.args
    names = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
    return [name for name in names if name not in ("self", "cls")]


def with_default(function: Function) -> set[str]:
    """Names of the parameters that have a default or are given by keyword alone."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    optional = positional[-len(arguments.defaults) :] if arguments.defaults else []
    return {argument.arg for argument in [*optional, *arguments.kwonlyargs]}
