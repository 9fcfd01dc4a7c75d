"""The vocabulary of the package: words of a former dialect stay out of identifiers, docstrings, help texts and pages.

Strings that a user reads are searched as prose. Evidence of the past (`docs/decisions`, the
changelog) may quote what it was measured with.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scripts import script
from tests.tools.test_structure import COMMITTED, measured

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "pointillist"
PARTS = sorted(path.name for path in PACKAGE.iterdir() if path.name not in {"__pycache__", "zoo", "py.typed"})
DOCS = sorted(p for p in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
              if not {"decisions", "_build"} & set(p.parts))  # fmt: skip

NAMES = {
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
"""Words that are no part of an identifier, and what to write."""

PROSE = {
    r"\b(is|are|was|were|be|been) told\b": "is conditioned on",
    r"\btold (nothing|everything|its|the|of)\b": "unconditional, conditioned on",
    r"\bun(told|heard)\b": "unconditional",
    r"\blistens? to\b": "is conditioned on",
    r"\blisteners?\b": "encoder",
    r"\bbrings? to mind\b": "retrieves",
    r"\bopponents?\b": "baseline",
    r"\bmodels? that ships?\b|\bshipped models?\b": "bundled model",
    r"\bhardware floor\b": "roofline bound",
    r"\brounded (model|weights)\b": "quantized",
    r"\bworth of (a|the|its) (name|caption|condition)": "bits saved",
    r"\bplanted faults?\b": "mutation test",
}
"""Phrases that are no part of prose, and what to write."""


words = script("measure_structure").words
words_of = words.words_of


def faults_in_prose(text: str) -> list[str]:
    """List the phrases of a text that belong to the dialect, each with what to write."""
    text = " ".join(text.split())
    return [f"{m.group(0)!r} -> {better}" for phrase, better in PROSE.items() for m in re.finditer(phrase, text, re.I)]


@pytest.mark.parametrize("part", PARTS)
def test_identifiers_and_docstrings(part: str) -> None:
    """Each package and module at the root."""
    path = PACKAGE / part
    found = []
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        names, prose = words.names_and_prose(file.read_text(encoding="utf-8"))
        where = file.relative_to(PACKAGE)
        found += [f"{where}: {name} -> {NAMES[word]}" for name in set(names) for word in words_of(name) & NAMES.keys()]
        found += [f"{where}: {fault}" for string in prose for fault in faults_in_prose(string)]
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize("word", COMMITTED["words"])
def test_a_word_becomes_no_more_frequent(word: str) -> None:
    """Words of the second list: as many identifiers as in `structure.json`, or fewer."""
    now, before = measured()["words"][word], COMMITTED["words"][word]
    better = words.COUNTED[word]
    assert now <= before, f"{now} identifiers with `{word}`, and {before} before; write {better}."


@pytest.mark.parametrize("phrase", COMMITTED["phrases"])
def test_a_phrase_becomes_no_more_frequent(phrase: str) -> None:
    """Phrases of the second and third list, in strings and comments of the package."""
    now, before = measured()["phrases"][phrase], COMMITTED["phrases"][phrase]
    assert now <= before, f"{phrase!r} stands {now} times in the package, and {before} times before."


@pytest.mark.parametrize("word", COMMITTED["documents"])
def test_documents_become_no_worse(word: str) -> None:
    """Words in the Python blocks of documents, and phrases in their text."""
    now, before = measured()["documents"][word], COMMITTED["documents"][word]
    assert now <= before, f"{word!r} stands {now} times in documents, and {before} times before."


def test_page_scripts() -> None:
    """Scripts of the studio and of the report."""
    found = []
    for file in sorted(PACKAGE.rglob("*.js")):
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"\b(\w*)[Ll]isteners?\b", r"\1", text)  # those of events
        names = re.findall(r"\b[A-Za-z_$][\w$]*\b", re.sub(r"//[^\n]*|/\*.*?\*/|([\"'`]).*?\1", " ", text, flags=re.S))
        found += [f"{file.name}: {n} -> {NAMES[w]}" for n in set(names) for w in words_of(n) & NAMES.keys()]
        found += [f"{file.name}: {fault}" for fault in faults_in_prose(text)]
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages(page: Path) -> None:
    """Each page of the documentation."""
    found = faults_in_prose(page.read_text(encoding="utf-8"))
    assert not found, "\n".join(sorted(set(found)))


def test_the_dialect_is_found() -> None:
    """The checks can fail."""
    assert words_of("toldLabel") & NAMES.keys()
    assert words_of("untold_map") & NAMES.keys()
    assert not words_of("ordinary_name") & NAMES.keys()
    assert faults_in_prose("A model that listens to text is told its label.")
    assert not faults_in_prose("A model that is conditioned on text.")


def test_the_third_dialect_is_found(tmp_path: Path) -> None:
    """In the text of a document, over the end of a line, and in its code."""
    (tmp_path / "README.md").write_text("Tell\nwhether it lacks those of anew.\n\n```python\nfound = 1\n```\n")
    places = words.document_places(tmp_path)
    assert {name for name, where in places.items() if where} == {
        *("tell whether", "lacks", "those of, that of", "anew", "found")
    }
