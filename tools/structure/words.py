"""Docstrings and identifiers: examples, first words, and the words that are to become rarer."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from structure.source import Function, Tree, comments_and_lines, parsed

ODD = ("What", "Of", "How", "Whether", "One")
EXAMPLE = re.compile(r">>> |```|^\s*(Examples?|Example usage)\s*:*\s*$|::\s*\n\s*\n\s+\S", re.MULTILINE)
NAME_FIELDS = ("id", "attr", "arg", "name", "asname", "names", "module")
COUNTED = {
    "found": "the thing's name: log_probs, config, encoder; or result, out",
    "own": "the thing's name: settings, overrides, folder",
    "given": "the thing's name: conditions, arguments, observed",
    "made": "the thing's name: model, images; or result",
    "kept": "the thing's name: cache, selected, best",
    "one": "item, image, network: the thing's name",
    "exact": "integer, unless it is a likelihood or a conditional",
    "machine": "hardware, compiled",
    "evidence": "observed, observed pixels",
    "odd": "anomalous",
    "oddest": "most_anomalous",
    "judge": "predict, score",
    "settle": "make_arc_consistent",
    "hopeless": "unsatisfiable",
    "suspects": "quarantined",
    "patience": "max_restarts",
    "beside": "next to",
    "alike": "same",
    "pieces": "cache, parts",
    "obeyed": "rules",
    "avoided": "negative_prompt",
    "told": "conditions, inputs",
    "untold": "unconditional",
    "heard": "condition",
    "hear": "encode",
    "listener": "encoder",
    "listeners": "encoders",
    "asked": "query, given",
    "opponent": "baseline",
    "rival": "alternative",
    "recall": "KV cache, retrieval",
    "remember": "store",
    "snake": "s_curve",
    "walker": "stepper",
    "easel": "workspace",
    "desk": "job_queue",
    "shelf": "model_pool",
    "rounding": "quantization",
    "spoken": "prompts",
    "untell": "drop",
    "mistold": "corrupted",
}
"""Words that are to leave identifiers, and what to write: their counts may only fall."""
PHRASES = {
    # "there is no" and "is no faster" are English
    "is no NOUN": r"(?<!here )\b(?:is|are|was|were) no (?!longer|more|less|such|other|one)(?![a-z]+er\b)[a-z]+\b",
    "beside": r"\bbeside\b",
    "alike": r"\balike\b",
    "in step": r"\bin step\b",
    "of ours, of its own": r"\bof (?:ours|theirs|its own|their own)\b",
    "those of, that of": r"\bth(?:ose|at) of\b",
    "where there is none": r"\bwhere there (?:is|are) (?:none|one|no)\b",
    "anew": r"\banew\b",
    "tell whether": r"\btells? whether\b",
    "lacks": r"\blacks\b",
    "as typed": r"\bas typed\b",
    "is told": r"\b(?:is|are|was|were|be|been) told\b|\btold (?:nothing|everything|its|the|of)\b|\bun(?:told|heard)\b",
    "listens, brings to mind": r"\blistens? to\b|\blisteners?\b|\bbrings? to mind\b|\bopponents?\b",
    "models that ship": r"\bmodels? that ships?\b|\bshipped models?\b|\bhardware floor\b|\bplanted faults?\b",
    "rounded model": r"\brounded (?:model|weights)\b|\bworth of (?:a|the|its) (?:name|caption|condition)",
}
"""Phrases that are to leave comments, docstrings, messages and documents."""
HISTORY = {"decisions", "_build"}
"""Folders of `docs` that quote the past."""
GENERATED = {"api", "api.md", "cli.md", "settings.md"}
"""What the package says of itself is counted there."""
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


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
    for node in tree.nodes[file]:
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


def odd_docstrings(tree: Tree) -> dict[str, str]:
    """The place of each docstring that begins with a word that is not to begin one, and its first line."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    result = {}
    for file, nodes in tree.nodes.items():
        for node in nodes:
            if isinstance(node, kinds):
                line = (ast.get_docstring(node) or "").split("\n")[0]
                if line.split(" ")[0].rstrip(",:") in ODD:
                    result[f"{file}:{getattr(node, 'lineno', 1)}"] = line
    return result


def words_of(identifier: str) -> set[str]:
    """Split an identifier into lower-case words."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)}


def names_and_prose(text: str) -> tuple[list[str], list[str]]:
    """The names in Python source as often as they stand there, and its strings and comments.

    Names are taken from the syntax tree: the tokens of an f-string depend on the version of Python.
    """
    names, prose = [], []
    for node in parsed(text):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            prose.append(node.value)
        for field in _name_fields(type(node)):
            value = getattr(node, field, None)
            names += [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]
    return names, prose + comments_and_lines(text)[0]


@cache
def _name_fields(kind: type[ast.AST]) -> list[str]:
    """The fields of a kind of node that hold names."""
    return [field for field in NAME_FIELDS if field in kind._fields]


def document_places(project: Path) -> dict[str, list[str]]:
    """The place of each counted word in the code of a document and of each counted phrase in its text."""
    behind: dict[str, list[str]] = {name: [] for name in (*COUNTED, *PHRASES)}
    pages = [project / "README.md", project / "CONTRIBUTING.md", *sorted((project / "docs").rglob("*.md"))]
    for page in pages:
        if not page.is_file() or (HISTORY | GENERATED) & set(page.relative_to(project).parts):
            continue
        text, file = page.read_text(encoding="utf-8"), page.relative_to(project).as_posix()
        for block in PYTHON.findall(text):
            for name in names_and_prose(block)[0]:
                for word in words_of(name) & COUNTED.keys():
                    behind[word].append(f"{file}: {name}")
        text = " ".join(text.split())
        for name, phrase in PHRASES.items():
            around = (text[max(0, m.start() - 40) : m.end() + 40] for m in re.finditer(phrase, text, re.IGNORECASE))
            behind[name] += [f"{file}: {part!a}" for part in around]
    return behind


def word_places(root: Path) -> dict[str, list[str]]:
    """The place of each counted word in an identifier and of each counted phrase in prose, below a folder."""
    behind: dict[str, list[str]] = {name: [] for name in (*COUNTED, *PHRASES)}
    for path in sorted(root.rglob("*.py")):
        names, prose = names_and_prose(path.read_text(encoding="utf-8"))
        file = path.relative_to(root).as_posix()
        for name in names:
            if name not in ("FileNotFoundError", "LocalEntryNotFoundError", "ModuleNotFoundError"):
                for word in words_of(name) & COUNTED.keys():
                    behind[word].append(f"{file}: {name}")
        text = " ".join(" ".join(prose).split())
        for name, phrase in PHRASES.items():
            around = (text[max(0, m.start() - 40) : m.end() + 40] for m in re.finditer(phrase, text, re.IGNORECASE))
            behind[name] += [f"{file}: {part!a}" for part in around]
    return behind
