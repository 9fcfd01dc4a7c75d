"""The parsed files of a package, and the graph of their imports. Nothing is imported."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import cast

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]
_NO_CODE = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
)  # fmt: skip


@cache
def comments_and_lines(text: str) -> tuple[list[str], set[int]]:
    """The comments of Python source, and the numbers of the lines on which other tokens stand; several figures ask."""
    comments, lines = [], set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.append(token.string)
        elif token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return comments, lines


@cache
def parsed(text: str) -> list[ast.AST]:
    """Every node of Python source, its tree first; not to be changed: several figures ask."""
    return nodes_of(ast.parse(text))


def nodes_of(tree: ast.AST) -> list[ast.AST]:
    """Every node of a syntax tree, as `ast.walk` lists them, in half the time."""
    nodes = [tree]
    for node in nodes:
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                nodes.append(value)
            elif isinstance(value, list):
                nodes += [item for item in value if isinstance(item, ast.AST)]
    return nodes


class Tree:
    """The parsed files of a package; what a stub (`.pyi`) says of a file is part of the file.

    Args:
        root: folder of the package.
    """

    def __init__(self, root: Path) -> None:
        self.name = root.name
        paths = sorted(root.rglob("*.py"))
        self.texts = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths}
        self.nodes = {file: parsed(text) for file, text in self.texts.items()}
        for stub in root.rglob("*.pyi"):  # after the docstring, before names that are computed
            file = stub.with_suffix(".py").relative_to(root).as_posix()
            tree = ast.parse(self.texts[file])
            names = ast.increment_lineno(ast.parse(stub.read_text(encoding="utf-8")), 10**6)  # on no line of the file
            tree.body[1:1] = names.body
            self.nodes[file] = nodes_of(tree)
        self.files = {file: cast(ast.Module, nodes[0]) for file, nodes in self.nodes.items()}
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

    @cached_property
    def functions(self) -> list[tuple[str, str, Function]]:
        """Every function with its file and its qualified name."""
        return [(file, name, node) for file, tree in self.files.items() for name, node in _functions(tree, "")]

    def classes(self) -> Iterator[tuple[str, ast.ClassDef]]:
        """Every class with its file."""
        for file, nodes in self.nodes.items():
            yield from ((file, node) for node in nodes if isinstance(node, ast.ClassDef))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # no function with a name stands in an expression
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
