"""Measure the structure of the package, and hold it to what was reached before.

    python tools/measure_structure.py                       # the figures
    python tools/measure_structure.py --list "odd docstrings"   # the places behind a figure; --list all for every one
    python tools/measure_structure.py --lower               # write improved figures to tests/structure.json
    python tools/measure_structure.py --source OLD/src/pointillist   # another tree, such as a `git worktree`

`tests/tools/test_structure.py` fails when a figure is above the one in `tests/structure.json`; `--lower` never raises
one. The tree is parsed, never imported.

    small files         files of at most 60 lines, `__init__` apart
    engine: arrows, backward arrows   imports between the packages and modules inside `engine`; those on a cycle
    required dependencies   of `pyproject.toml`
    implementations, files to touch   places of a concept and of a change; see `structure/concepts.py`
    arrows              pairs (unit, unit it imports), also inside functions and under TYPE_CHECKING; a unit is a
                        package or a loose module at the root
    units               the nodes of that graph
    layers              units on its longest path (a group of units that import each other is one node)
    loose modules       `.py` files at the root of the package, `__init__` and `__main__` among them
    file cycles         groups of files that import each other, directly or through others; an import of a name from a
                        package counts as one of its `__init__`
    functions with more than eight arguments, longest argument list
                        without `self`, `cls`, `*args` and `**kwargs`; commands are functions like others
    repeated settings   settings with more than one declaration; of a run, `data.size` and `model.conditions.size` are
                        two settings, and those of a use (sampling, commands, jobs) are apart. A setting is declared
                        by each file with a class `*Config`, `*Section`, `*Settings` or `*Options` that annotates it,
                        by each function `build`, `train` or `train_from_config` that gives it a default, and by an
                        option of `cli` that names it as a dotted key (`"train.lr"`) and gives it a type, a default
                        or a help text. The parts of models (`networks`, `conditioning`) are
                        alternatives and count as one file, as do `commands` and `jobs`; the studio does not count
    repeated help texts  texts of an option or a field that stand more than once to the letter
    repeated class names  public classes at the top of a file whose name another file uses too
    fmt: skip           lines that ruff is told to leave alone
    crowded folders     folders with more than 16 `.py` and `.js` files
    odd docstrings      docstrings that begin with What, Of, How, Whether or One
    words, phrases      identifiers with a word of STYLE's second list, prose with a phrase of it or of the third; see
                        `structure/words.py`. `tests/tools/test_vocabulary.py` holds these
    documents           the same in the Python blocks and the text of documents, without decisions
    code lines          lines without docstrings, comments, blanks and imports, up to the next 50: a small feature fits.
                        With each landing the figure in tests/structure.json falls by 500 until 34,500, and never rises
    files               of Python
    ideas, sizes        what a rename cannot hide, and lines and words beside the code; see `structure/ideas.py`
    reported only       code lines to the line; packages and megabytes
                        of an installation; lines of scripts; examples in the docstrings of what `__all__` names
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from structure import concepts, ideas, words
from structure.settings import repeated_classes, repeated_help_texts, repeated_settings
from structure.size import code_lines, dependencies, inner_arrows, installed_packages, small_files
from structure.source import Tree, components, longest_path, parameters, unit_graph

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "pointillist"
COMMITTED = ROOT / "tests" / "structure.json"
MOST_ARGUMENTS, MOST_FILES = 8, 16
CODE_STEP = 50


def crowded_folders(root: Path) -> dict[str, int]:
    """Folders with more files than one reads at a glance, and how many each has."""
    files = [path for suffix in ("*.py", "*.js") for path in root.rglob(suffix)]
    counts = Counter(path.parent.relative_to(root).as_posix() for path in files)
    return {folder: count for folder, count in sorted(counts.items()) if count > MOST_FILES}


def places(tree: Tree, root: Path) -> dict[str, list[str]]:
    """The places behind each figure that is a count of places."""
    imports = {file: tree.imports(file) for file in tree.files}
    units = unit_graph(imports)
    lists = [(len(parameters(f)), f"{file}: {name}") for file, name, f in tree.functions]
    lines = [
        f"{file}:{number}"
        for file, text in tree.texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if "# fmt: skip" in line
    ]
    return {
        "arrows": [f"{a} -> {b}" for a, others in sorted(units.items()) for b in sorted(others)],
        "units": sorted(units),
        "small files": small_files(tree),
        **dict(zip(("engine: arrows", "engine: backward arrows"), inner_arrows(tree, "engine"), strict=True)),
        "loose modules": [file for file in tree.files if "/" not in file],
        "file cycles": [", ".join(sorted(group)) for group in components(imports) if len(group) > 1],
        "functions with more than eight arguments": [
            f"{count}  {where}" for count, where in sorted(lists, reverse=True) if count > MOST_ARGUMENTS
        ],
        "repeated settings": _lines(repeated_settings(tree)),
        "repeated help texts": _lines(repeated_help_texts(tree)),
        "repeated class names": _lines(repeated_classes(tree)),
        "fmt: skip": lines,
        "crowded folders": [f"{folder}: {count}" for folder, count in crowded_folders(root).items()],
        "odd docstrings": [f"{where}: {line}" for where, line in words.odd_docstrings(tree).items()],
    }


def _lines(found: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {'; '.join(where)}" for name, where in found.items()]


def measure(root: Path) -> dict[str, Any]:
    """All figures of a package: `held`, `words`, `phrases` and `reported`, and the `places` behind them."""
    tree = Tree(root)
    behind = places(tree, root)
    units = unit_graph({file: tree.imports(file) for file in tree.files})
    held = {name: len(where) for name, where in behind.items()}
    of_ideas = ideas.places_of_ideas(tree)
    held |= {name: len(where) for name, where in of_ideas.items()} | ideas.sizes(root.parents[1])
    held["files"], held["layers"] = len(tree.files), longest_path(units)
    held["longest argument list"] = max((len(parameters(f)) for _, _, f in tree.functions), default=0)
    lines = {file: code_lines(text, tree.nodes[file]) for file, text in tree.texts.items()}
    of_engine = [count for file, count in lines.items() if file.startswith("engine/")]
    held["code lines"] = math.ceil(sum(lines.values()) / CODE_STEP) * CODE_STEP
    project = root.parents[1] / "pyproject.toml"
    required = dependencies(project)
    held["required dependencies"], installed = len(required), installed_packages(required)
    known = concepts.read()
    held |= {f"implementations: {name}": len(concept.places) for name, concept in known.implementations.items()}
    held |= {f"files to touch: {name}": len(concept.places) for name, concept in known.changes.items()}
    of_words, of_documents = words.word_places(root), words.document_places(root.parents[1])
    examples = words.documented(tree, [file for file in tree.files if words.exported(tree, file)])
    return {
        "held": held,
        "words": {name: len(of_words[name]) for name in words.COUNTED},
        "phrases": {name: len(of_words[name]) for name in words.PHRASES},
        "documents": {name: len(where) for name, where in of_documents.items()},
        "reported": {
            "lines of code; of engine": f"{sum(lines.values()):,}; {sum(of_engine):,}",
            "packages that an installation brings": len(installed),
            "their size, MB": round(sum(installed.values()) / 1e6),
            "exported names with an example": f"{examples[0]} of {examples[1]}",
        },
        "places": behind | of_ideas | of_words | {f"documents: {name}": where for name, where in of_documents.items()},
    }


def lowered(committed: dict[str, dict[str, int]], measured: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The committed figures, each replaced by the measured one where that is lower; new figures are added."""
    result = {}
    for part, figures in {**committed, **measured}.items():
        before = committed.get(part, {})
        result[part] = {name: min(count, before.get(name, count)) for name, count in figures.items()}
    return result


def main() -> None:
    """Print the figures, or lower the committed ones."""
    parser = argparse.ArgumentParser(description="Measure the structure of the package.")
    parser.add_argument("--source", type=Path, default=PACKAGE, help="folder of the package")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--list", metavar="FIGURE", help="print the places behind a figure, or behind all")
    parser.add_argument("--lower", action="store_true", help="lower the figures in tests/structure.json")
    options = parser.parse_args()
    source = options.source.resolve()
    result = measure(source)
    behind: dict[str, list[str]] = result.pop("places")
    if options.lower:
        held = {part: figures for part, figures in result.items() if part != "reported"}
        committed = json.loads(COMMITTED.read_text(encoding="utf-8")) if COMMITTED.exists() else {}
        COMMITTED.write_text(json.dumps(lowered(committed, held), indent=2) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for part, figures in result.items():
        print(part)
        for name, count in figures.items():
            print(f"    {name:44} {count}")
    for name, where in behind.items():
        if options.list in (name, "all"):
            print("\n".join([f"\n{name}:", *(f"    {line}" for line in where)]))


if __name__ == "__main__":
    main()
