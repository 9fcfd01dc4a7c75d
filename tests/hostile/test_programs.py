"""Hostile input of exported programs: links, a page and a module in Node, and programs in C."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import pointillist as pt
from pointillist.studio.export.page import script_text
from tests.silence.programs import LINES, NODE, Node, page_of

from .fuzz_runtime import compiler
from .sweep import NUMBERS, TEXTS

CASES = 25
"""Cases of each kind, each drawn from its number."""
NAMES = (
    "model", "text", "letters", "negative_prompt", "label", "a.hair", "a.__proto__", "c.vector", "c.", "seed", "n",
    "index", "guidance", "temperature", "top_p", "order", "size", "rules", "seamless", "best_of", "compare", "values",
    "compare2", "values2", "vary", "of", "world", "at", "hint", "origin", "known", "fill", "allow", "__proto__",
    "constructor",
)  # fmt: skip
SAID = ("0.5,regions,3", "1x1", "32x24", "walls,stairs", "both", "1-3.AA", "-5,8", "paint", "AZ-_09", '{"text":"x"}')
LINK = """
const link = modules["state/link.js"];
const answer = ({ hash }) => {
  const read = link.readLink(hash), written = read && link.writeLink(read);
  if (read && !read.index) delete read.index; // the first image is not written
  return { read: read && Object.keys(read).length ? read : null, again: written && link.readLink(written) };
};
"""
GRID = {"dtype": "uint8", "shape": [1, 4, 4], "data": "AAAAAAAAAAAAAAAAAAAAAA=="}
BODIES: dict[str, dict[str, Any]] = {
    "sample": {"samples": [{"seed": 1, "conditions": {"label": None, "text": None, "letters": True, "others": {}}}],
               "guidance": 1.0, "temperature": 1.0, "top_p": 1.0, "size": None, "rules": {"border": ["wall"]},
               "best_of": 1, "seamless": None, "negative_prompt": None, "distributions": False},
    "fill": {"start": {"levels": GRID, "known": {**GRID, "shape": [4, 4]}}, "candidates": 1, "method": "auto",
             "seed": 1, "allowed": [], "pick": None},
    "score": {"levels": GRID, "conditions": {}},
    "world": {"seed": 1, "row": 0, "column": 0, "height": 4, "width": 4, "chunk_size": 8, "rules": None, "label": None},
}  # fmt: skip
"""Bodies of requests, in which places are replaced."""
JSON: tuple[Any, ...] = (
    None, True, -1, 0, 2**53, 2**64, 1.5, 1e308, "", "x", "x" * 20_000, [], {}, [[]], [1], [None] * 17, {"a": 1},
    {"dtype": "uint8", "shape": [2**24, 2**24], "data": ""}, {"dtype": "float32", "shape": [4, 4], "data": "AAAA"},
)  # fmt: skip
REQUEST: dict[str, Any] = {
    "seed": 1, "index": 0, "label": None, "text": None, "guidance": 1, "temperature": 1, "topP": 1, "height": 8,
    "width": 8, "known": None, "order": "raster", "rules": None,
}  # fmt: skip
OF_AN_ENGINE = ("undefined", "is not a function", "is not iterable", "Cannot read", "at position", "array length")
"""Words of an engine of JavaScript, which no sentence has."""


def mangled(rng: random.Random, text: str) -> str:
    """Return a text with a few characters changed, cut, repeated or replaced by hostile ones."""
    for _ in range(rng.randint(0, 3)):
        at = rng.randint(0, len(text))
        piece = rng.choice(["", "\0", "\n", ",", ";", "nan", "-1", "1e999", "9" * 400, '"', "é", "\t", text[:at]])
        text = text[:at] + piece + text[at + rng.randint(0, 3) :]
    return text


def replaced(rng: random.Random, body: Any) -> Any:
    """Return a body one to three of whose places hold another value, or are missing."""
    body = deepcopy(body)
    for _ in range(rng.randint(1, 3)):
        at: Any = body
        while keys := list(at) if isinstance(at, dict) else list(range(len(at))):
            key = rng.choice(keys)
            if isinstance(at[key], (dict, list)) and at[key] and rng.random() < 0.7:
                at = at[key]
                continue
            if rng.random() < 0.1 and isinstance(at, dict):
                del at[key]
            else:
                at[key] = deepcopy(rng.choice(JSON))
            break
    return body


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Node]]:
    """The module of links, and pages and modules of two bundled models."""
    if NODE is None:
        pytest.skip("Pages and modules run in Node, which is not here.")
    root = tmp_path_factory.mktemp("nodes")
    (root / "links.mjs").write_text(script_text("state/link.js") + LINK + LINES, encoding="utf-8")
    opened = {"links": Node(root / "links.mjs")}
    for name in ("digits", "dungeons"):
        pt.export(name, js=root / name)
        opened |= {f"page {name}": page_of(name, name), f"module {name}": Node.of_module(root / name, name)}
    yield opened
    for node in opened.values():
        node.close()


def links(rng: random.Random, nodes: dict[str, Node]) -> None:
    """Read addresses of pictures: what is read is written and read again; nothing throws."""
    values = [
        rng.choice([*NUMBERS, *TEXTS, *SAID]).encode("utf-8", "replace").decode() for _ in range(rng.randint(0, 5))
    ]
    address = "#" + "&".join(f"{rng.choice(NAMES)}={quote(value)}" for value in values)
    address = mangled(rng, address) if rng.random() < 0.4 else address
    answer = nodes["links"].ask(hash=address)
    assert "error" not in answer, (address, answer)
    assert answer["read"] == answer["again"], address


def pages(rng: random.Random, nodes: dict[str, Node]) -> None:
    """Send requests to an exported page, as only the page itself does: all are answered, and it goes on."""
    name, kind = rng.choice(["digits", "dungeons"]), rng.choice(sorted(BODIES))
    body = replaced(rng, BODIES[kind])
    answer = nodes[f"page {name}"].ask(address=f"/api/models/{name}/{kind}", body=body)
    assert answer["status"] in (200, 400), (name, kind, body, answer)
    assert [json.loads(line) for line in answer["text"].splitlines()], (name, kind, body, answer)


def modules(rng: random.Random, nodes: dict[str, Node]) -> None:
    """Ask a module for JavaScript: a picture, or an error that is a sentence."""
    name = rng.choice(["digits", "dungeons"])
    values = [one for one in JSON if not (isinstance(one, (int, float)) and one > 1e6)]
    changed = {key: rng.choice(values) for key in rng.sample(sorted(REQUEST), rng.randint(1, 3))}
    request = {**({} if name == "digits" else REQUEST), **changed}
    answer = nodes[f"module {name}"].ask(request=request)
    assert is_sentence(answer.get("error", "Painted.")), (name, request, answer)
    assert all(isinstance(level, int) for level in answer.get("levels", [])), (name, request, answer)


def is_sentence(text: str) -> bool:
    """Return True for a whole sentence, without the words of an engine of JavaScript."""
    return text.rstrip().endswith((".", "?")) and not any(words in text for words in OF_AN_ENGINE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [links, pages, modules])
def test_hostile_requests_are_answered(nodes: dict[str, Node], kind: Callable[[Any, Any], None]) -> None:
    for number in range(CASES):
        kind(random.Random(f"{kind.__name__} {number}"), nodes)


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="There is no C compiler here.")
@pytest.mark.parametrize(("name", "program"), [("digits", "example"), ("dungeons", "walk")])
def test_hostile_arguments_of_programs_in_c(name: str, program: str, tmp_path: Path) -> None:
    """A picture, or exit code 2 and one line."""
    pt.export(name, c=tmp_path / "c")
    subprocess.run(["make", "--silent", f"CC={compiler()}", "CFLAGS=-O0", program], cwd=tmp_path / "c", check=True)
    rng = random.Random(name)
    values = ["7", "3", "-3", "99", "heart", *NUMBERS, *(text for text in TEXTS if "\0" not in text)]
    for _ in range(CASES):
        most = 3 if program == "walk" else 5  # few numbers are a large map
        words = [rng.choice(values).encode("utf-8", "surrogateescape") for _ in range(rng.randint(0, most))]
        done = subprocess.run([f"./{program}", *words], cwd=tmp_path / "c", capture_output=True, timeout=60)
        said = done.stderr.decode("utf-8", "replace")
        if done.returncode:
            assert (done.returncode, done.stdout) == (2, b""), (words, said)
            assert said.count("\n") == 1 or said.startswith("usage:"), (words, said)
        else:
            assert (done.stdout[:2], said) == (b"P6", ""), words


def test_half_a_sentence_is_noticed() -> None:
    assert is_sentence("There is no label 99: choose from 1, 2.")
    assert not is_sentence("Cannot read properties of undefined (reading 'length').")
    assert not is_sentence("There is no label")
