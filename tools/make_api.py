"""Write `docs/reference/api.md` and the pages of `docs/reference/api`: `python tools/make_api.py`.

They are made of signatures and docstrings of the names in `__all__`. The source is parsed, never imported. A test
compares the pages with the source.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

from structure.source import Tree
from structure.words import exported

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
PACKAGES = (
    *("data", "conditioning", "networks", "nn", "training", "analysis", "anomaly", "compression"),
    *("images/visualization", "commands/jobs"),
)
TASKS = {
    "Build and load": ("build", "load", "list_models", "list_pretrained", "PixelModel", "BundledModel"),
    "Read images": ("load_data", "DataOptions", "DataSplits", "ImageDataset", "ImageSpec"),
    "Train": ("train", "train_from_config", "TrainConfig", "TrainResult"),
    "Sample": ("sample", "sample_seamless", "Samples", "SamplingConfig", "GenerationConfig", "Rules"),
    "Vary samples": ("recover_uniforms", "replace_uniforms", "interpolate_uniforms"),
    "Complete": ("inpaint", "read_cells", "Completions", "vary"),
    "Measure and explain": (
        *("evaluate", "Evaluation", "rank", "Ranking"),
        *("explain", "Explanation", "receptive_field", "ReceptiveField"),
    ),
    "Find anomalies": ("AnomalyDetector", "AnomalyRecord"),
    "Compress": ("compress", "decompress", "hide", "reveal", "Archive"),
    "Quantize": ("quantize_integer",),
    "Worlds": ("World",),
    "Work at scale, show, export": ("jobs", "Studio", "export"),
    "Errors": (
        *("PointillistError", "ConfigError", "DataError", "ShapeError", "EngineError", "CheckpointError"),
        *("TrainingError", "ArchiveError", "JobError", "CausalityError"),
    ),
    "Version": ("__version__",),
}
"""The names of `pointillist` by task; a test holds them to its `__all__`."""
MADE = "<!-- Made by tools/make_api.py from the docstrings: do not edit. -->"
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
Node = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


def pages() -> dict[str, str]:
    """Return every page by its path below `docs/reference`."""
    tree = Tree(ROOT / "src" / "pointillist")
    parts = {package.rpartition("/")[2]: f"{package}/__init__.py" for package in PACKAGES}
    entries = _entries(tree, "__init__.py")
    made = {f"api/{name}.md": _page(tree, f"pointillist.{name}", file, entries) for name, file in parts.items()}
    rows = [f"| [`pointillist.{name}`](api/{name}.md) | {_summary(tree.files[file])} |" for name, file in parts.items()]
    listed = "\n".join(["```{toctree}", ":hidden:", ":maxdepth: 1", "", *(f"api/{name}" for name in parts), "```"])
    index = "\n".join(["| package | contents |", "|---|---|", *rows])
    tables = [_table(names, entries, heading) for heading, names in TASKS.items()]
    ordered = [name for names in TASKS.values() for name in names if name in entries]
    sections = "\n".join(_entry(name, entries[name], entries) for name in ordered)
    head = f"# Python reference\n\n{MADE}\n\n{ABOUT}\n{index}\n\n{listed}\n\n"
    made["api.md"] = head + "\n".join(tables) + "\n" + sections.strip() + "\n"
    return made


ABOUT = """Import the package as `import pointillist as pt`. The names on this page are those of `pointillist`,
by task; a package with further names has a page of its own. Shapes are written `[b c h w]`: batch, channel, row,
column.
"""


def _page(tree: Any, title: str, file: str, public: Mapping[str, Node]) -> str:
    """Return the page of a package: its summary, a list of its names, and an entry for each that is not `public`."""
    entries = _entries(tree, file)
    described = [name for name in entries if entries[name] is public.get(name)]
    others = {name: node for name, node in entries.items() if name not in described}
    head = [f"# `{title}`", "", MADE, "", _markdown(ast.get_docstring(tree.files[file]) or ""), ""]
    rest = ", ".join(f"[`{name}`](../api.md#{_anchor(name, public)})" for name in described)
    more = [_lines(f"On the page of `pointillist`: {rest}."), ""] if rest else []
    names = ", ".join(f"[`{name}`](#{_anchor(name, others)})" for name in others)
    return "\n".join(
        [*head, *more, _lines(f"{names}.") + "\n", *(_setting(name, node, others) for name, node in others.items())]
    )


def _lines(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _entries(tree: Any, file: str) -> dict[str, Node]:
    """Return the definitions of the names in the `__all__` of a package."""
    names = sorted(exported(tree, file), key=lambda name: (name.lower(), name))
    nodes = {name: _definition(tree, file, name) for name in names}
    return {name: node for name, node in nodes.items() if node is not None}


def _table(names: Iterable[str], entries: Mapping[str, Node], heading: str) -> str:
    """Return a table of names with their summaries; a package has a page of its own."""
    rows = []
    for name in names:
        if name in entries:
            rows.append(f"| [`{name}`](#{_anchor(name, entries)}) | {_summary(entries[name])} |")
        else:
            rows.append(f"| [`{name}`](api/{name}.md) | A package: see its page. |")
    return "\n".join([f"| {heading} | |", "|---|---|", *rows, ""])


def _anchor(name: str, entries: Iterable[str]) -> str:
    """Return the anchor of a heading; the second of two that differ in case only gets a number."""
    alike = [other for other in entries if other.lower() == name.lower()]
    return name.lower() + (f"-{alike.index(name)}" if alike.index(name) else "")


def _definition(tree: Any, file: str, name: str, depth: int = 0) -> Node | None:
    """Find the class, function or constant that a name of a file means."""
    for node in ast.walk(tree.files[file]):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name and node in tree.files[file].body:
            return node
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(getattr(t, "id", "") == name for t in targets):
            return node
        if isinstance(node, ast.ImportFrom) and node.module and depth < 9:
            for alias in node.names:
                source = tree.modules.get(node.module)
                if (alias.asname or alias.name) == name and source is not None and source != file:
                    return _definition(tree, source, alias.name, depth + 1)
    return None


def _setting(name: str, node: Node, page: Mapping[str, Node]) -> str:
    """Return the section of a name of a package; fields of a settings class stand on the page of settings."""
    if not (name.endswith("Config") and isinstance(node, ast.ClassDef)):
        return _entry(name, node, page)
    rest = [item for item in node.body if not isinstance(item, ast.AnnAssign)]
    if len(rest) == len(node.body):
        return _entry(name, node, page)
    docstring = (ast.get_docstring(node) or "").partition("\n\nAttributes:")[0]
    plain = ast.ClassDef(node.name, node.bases, [], [ast.Expr(ast.Constant(docstring)), *rest[1:]], [])
    return _entry(name, plain, page).replace("\n```\n", "\n```\n\nFields: [settings](../settings.md).\n", 1)


def _entry(name: str, node: Node, page: Mapping[str, Node]) -> str:
    """Return the section of a class, a function or a constant; methods of a base on the page stand with the base."""
    parts = [f"## `{name}`", f"```python\n{_signature(node)}\n```"]
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        parts.append(_markdown(ast.get_docstring(node) or ""))
    if isinstance(node, ast.ClassDef):
        base = next((b.id for b in node.bases if isinstance(b, ast.Name) and b.id in page), "")
        inherited = _methods(page[base]) if base else {}
        methods = [_method(item) for key, item in _methods(node).items() if key not in inherited]
        if any(isinstance(b, ast.Name) and b.id == "Summary" for b in node.bases) and "to_dict" not in _methods(node):
            methods.append("- `to_dict() -> dict[str, Any]`: Return the numbers of the result, ready for JSON.")
        parts += ["**Methods and properties**", "\n".join(methods)] if methods else []
        parts += [f"Also the methods of [`{base}`](#{_anchor(base, page)})."] if inherited else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _methods(node: Node) -> dict[str, ast.FunctionDef]:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return {item.name: item for item in body if isinstance(item, ast.FunctionDef) and _is_public(item)}


def _is_public(item: ast.FunctionDef) -> bool:
    return not item.name.startswith("_") and ast.get_docstring(item) is not None


def _method(item: ast.FunctionDef) -> str:
    """Return a method or property as an item of a list."""
    decorators = {ast.unparse(decorator) for decorator in item.decorator_list}
    is_property = bool(decorators & {"property", "cached_property", "functools.cached_property"})
    call = item.name if is_property else f"{item.name}({_arguments(item)})"
    return f"- `{call}{_result(item)}`: {_summary(item)}"


def _signature(node: Node) -> str:
    """Return the first line of a definition, wrapped if it is long."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        line = _assignment(node)
        if len(line) <= 100 or not isinstance(node.value, ast.Dict):
            return line
        pairs = zip(node.value.keys, node.value.values, strict=True)
        items = [f"{ast.unparse(key)}: {ast.unparse(value)}" for key, value in pairs if key is not None]
        return _wrapped(line[: line.index("{") + 1], items, "}")  # as ruff formats it
    if isinstance(node, ast.FunctionDef):
        return _wrapped(f"{node.name}(", _argument_list(node), f"){_result(node)}")
    init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if init is not None:
        return _wrapped(f"class {node.name}(", _argument_list(init), ")")
    fields = [_field(n) for n in node.body if isinstance(n, ast.AnnAssign) and _is_field(n)]
    if fields:
        return _wrapped(f"class {node.name}(", fields, ")")
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    return f"class {node.name}({bases})" if bases else f"class {node.name}"


def _assignment(node: ast.Assign | ast.AnnAssign) -> str:
    """Write an assignment in one line; a release does not change that of the version."""
    line = ast.unparse(node).replace("'", '"')
    return "__version__: str" if "__version__" in line else line


def _field(node: ast.AnnAssign) -> str:
    """Write a field with its default, without the rule that `within` declares."""
    value = node.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "within":
        node = ast.AnnAssign(node.target, node.annotation, value.args[0], node.simple)
    return ast.unparse(node)


def _is_field(node: ast.AnnAssign) -> bool:
    name, annotation = ast.unparse(node.target), ast.unparse(node.annotation)
    init = isinstance(node.value, ast.Call) and any(k.arg == "init" for k in node.value.keywords)
    return not name.startswith("_") and not annotation.startswith("ClassVar") and not init


def _wrapped(start: str, items: list[str], end: str) -> str:
    items = [item.replace("'", '"') for item in items]
    line = start + ", ".join(items) + end
    return line if len(line) <= 100 else start + "\n" + "".join(f"    {item},\n" for item in items) + end


def _argument_list(node: ast.FunctionDef) -> list[str]:
    """List the arguments with types and defaults, without `self` and `cls`."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    result = [_argument(a, d) for a, d in zip(plain, defaults, strict=True) if a.arg not in ("self", "cls")]
    if given.vararg is not None:
        result.append("*" + _argument(given.vararg, None))
    elif given.kwonlyargs:
        result.append("*")
    result += [_argument(a, d) for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [*result, *(["**" + _argument(given.kwarg, None)] if given.kwarg is not None else [])]


def _arguments(node: ast.FunctionDef) -> str:
    return ", ".join(_argument_list(node))


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg if argument.annotation is None else f"{argument.arg}: {ast.unparse(argument.annotation)}"
    return text if default is None else f"{text}{' = ' if argument.annotation else '='}{ast.unparse(default)}"


def _result(node: ast.FunctionDef) -> str:
    return "" if node.returns is None else f" -> {ast.unparse(node.returns)}"


def _summary(node: Any) -> str:
    """Return the first paragraph of a docstring in one line, for a table."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        text = _assignment(node).partition(" = ")[2].replace("|", "\\|")
        return f"`{text}`" if text else "Version of the package."
    return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split()).replace("|", "\\|")


def _markdown(text: str) -> str:
    """Convert a docstring to Markdown: sections become lists, examples become blocks."""
    lines = text.split("\n")
    heads = [i for i, line in enumerate(lines) if re.fullmatch(rf"({'|'.join(SECTIONS)}|Examples?):", line)]
    starts = [0, *heads, len(lines)]
    parts = [_prose(lines[: starts[1]])]
    for start, end in pairwise(starts[1:]):
        name, body = lines[start].rstrip(":"), lines[start + 1 : end]
        inside = [i for i, line in enumerate(body) if line.strip() and not line.startswith("    ")]
        own, rest = (body[: inside[0]], body[inside[0] :]) if inside else (body, [])
        own = [line[4:] for line in own]
        if name.startswith("Example"):
            code = "\n".join(own).strip("\n")
            parts.append(code if code.startswith("```") else f"```python\n{code}\n```")
        elif name in ("Returns", "Yields") or not any(re.match(r"\S.*?: ", line) for line in own):
            parts.append(f"**{name}:** {' '.join(' '.join(own).split())}")
        else:
            parts.append(f"**{name}**\n\n" + _items(own))
        parts.append(_prose(rest))
    return "\n\n".join(part for part in parts if part.strip())


def _items(lines: list[str]) -> str:
    """Return the entries `name: text` of a section as a list."""
    entries: list[str] = []
    for line in lines:
        if line.strip() and not line.startswith(" "):
            names, _, text = line.partition(": ")
            named = names if "`" in names else ", ".join(f"`{name}`" for name in names.rstrip(":").split(", "))
            entries.append(f"- {named}: {text}")
        elif line.strip() and entries:
            entries[-1] += " " + line.strip()
    return "\n".join(entries)


def _prose(lines: list[str]) -> str:
    """Return paragraphs; indented ones are code."""
    blocks: list[str] = []
    fenced = "\n".join(lines).strip("\n").split("```")
    for i, part in enumerate(fenced):
        if i % 2:
            blocks.append(f"```{part}```")
            continue
        for paragraph in re.split(r"\n\s*\n", part.strip("\n")):
            if paragraph.startswith("    "):
                code = "\n".join(line[4:] for line in paragraph.split("\n"))
                blocks.append(f"```{_language(code)}\n{code}\n```")
            elif paragraph.strip():
                blocks.append(paragraph.removesuffix("::") + (":" if paragraph.endswith("::") else ""))
    return "\n\n".join(blocks)


def _language(code: str) -> str:
    """Tell an example from a formula."""
    try:
        ast.parse(code)
    except SyntaxError:
        return "text"
    return "python"


if __name__ == "__main__":
    (FOLDER / "api").mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
