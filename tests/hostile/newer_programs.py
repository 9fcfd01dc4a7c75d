"""Hostile input of exported programs: links, a page and a module in Node, and programs in C."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pointillist as pt
from tests.silence.programs import LINES, Node
from tests.studio.test_link import MODULE

from .fuzz_runtime import compiler
from .newer_python import BODIES, JSON, replaced
from .newer_world import HostileError, World, mangled
from .sweep import NUMBERS, TEXTS

NODE = shutil.which("node")
NAMES = (
    "model", "text", "letters", "not", "label", "a.hair", "a.__proto__", "c.vector", "c.", "seed", "n", "index",
    "guidance", "temperature", "top_p", "order", "size", "rules", "tiles", "best", "compare", "values", "compare2",
    "values2", "vary", "of", "world", "at", "hint", "origin", "known", "fill", "allow", "__proto__", "constructor",
)  # fmt: skip
SAID = (
    "0.5,regions,3",
    "1x1",
    "32x24",
    "walls,stairs",
    "both",
    "1-3.AA",
    "-5,8",
    "paint",
    "AZ-_09",
    "label",
    '{"text":"x"}',
)
LINK = """
import * as link from MODULE;
const answer = ({ hash }) => {
  const read = link.readLink(hash), written = read && link.writeLink(read);
  if (read && !read.index) delete read.index; // the first image is not written
  return { read: read && Object.keys(read).length ? read : null, again: written && link.readLink(written) };
};
"""


def links(rng: random.Random, world: World) -> None:
    """Addresses of pictures: what is read is written and read again as it was; nothing throws."""
    if "links" not in world.nodes:
        script = world.root / "links.mjs"
        script.write_text(LINK.replace("MODULE", json.dumps(MODULE.as_uri())) + LINES, encoding="utf-8")
        world.nodes["links"] = Node(script)
    values = [
        rng.choice([*NUMBERS, *TEXTS, *SAID]).encode("utf-8", "replace").decode() for _ in range(rng.randint(0, 5))
    ]
    hash_ = "#" + "&".join(f"{rng.choice(NAMES)}={quote(value)}" for value in values)
    hash_ = mangled(rng, hash_) if rng.random() < 0.4 else hash_
    answer = world.nodes["links"].ask(hash=hash_)
    if "error" in answer or answer["read"] != answer["again"]:
        raise HostileError(f"{hash_[:300]!r}: {json.dumps(answer)[:600]}")


def is_sentence(text: str) -> bool:
    """Return True for a whole sentence, without the words of an engine of JavaScript."""
    engine = (
        "undefined",
        "is not a function",
        "is not iterable",
        "Cannot read",
        "JSON at position",
        "Invalid array length",
    )
    return text.rstrip().endswith((".", "?")) and not any(words in text for words in engine)


def pages(rng: random.Random, world: World) -> None:
    """Requests to an exported page, as only the page itself sends them: all are answered, and it goes on."""
    name, kind = rng.choice(["digits", "dungeons"]), rng.choice(sorted(BODIES))
    body = json.loads(json.dumps(replaced(rng, BODIES[kind])).encode("utf-8", "replace").decode("utf-8", "replace"))
    if len(json.dumps(body)) > 100_000:
        return
    answer = world.page(name).ask(address=f"/api/models/{name}/{kind}", body=body)
    lines = [json.loads(line) for line in answer["text"].splitlines()]
    if answer["status"] not in (200, 400) or not lines:
        raise HostileError(f"{name} {kind} {json.dumps(body)[:300]}: {answer}")


REQUEST: dict[str, Any] = {
    "seed": 1, "index": 0, "label": None, "text": None, "guidance": 1, "temperature": 1, "topP": 1,
    "height": 8, "width": 8,
    "known": None, "order": "raster", "rules": None,
}  # fmt: skip


def modules(rng: random.Random, world: World) -> None:
    """Requests to a module for JavaScript: a picture, or an error that is a sentence."""
    name = rng.choice(["digits", "dungeons"])
    values = [one for one in JSON if one != "\ud800" and not (isinstance(one, (int, float)) and one > 1e6)]
    changed = {key: rng.choice(values) for key in rng.sample(sorted(REQUEST), rng.randint(1, 3))}
    request = {**({} if name == "digits" else REQUEST), **changed}
    answer = world.module(name).ask(request=request)
    if "error" in answer and not is_sentence(answer["error"]):
        raise HostileError(f"{name}.paint({json.dumps(request)[:300]}): {answer['error']}")
    if "levels" in answer and not all(isinstance(level, int) for level in answer["levels"]):
        raise HostileError(f"{name}.paint({json.dumps(request)[:300]}): levels {answer['levels'][:9]}")


def built(world: World, name: str, program: str) -> Path:
    """Return the folder of a program in C, built."""
    if name not in world.built:
        folder = world.root / f"c-{name}"
        pt.export(name, c=folder)
        subprocess.run(["make", "--silent", f"CC={compiler()}", "CFLAGS=-O0", program], cwd=folder, check=True)
        world.built[name] = folder
    return world.built[name]


def programs_in_c(rng: random.Random, world: World) -> None:
    """Arguments of the examples in C: a picture, or exit code 2 and one line."""
    if compiler() is None:
        return
    name, program = rng.choice([("digits", "example"), ("dungeons", "walk")])
    values = ["7", "3", "-3", "99", "heart", *NUMBERS, *(text for text in TEXTS if "\0" not in text)]
    arguments = [rng.choice(values).encode("utf-8", "surrogateescape") for _ in range(rng.randint(0, 5))]
    if program == "walk":  # few numbers are a large map
        arguments = arguments[:3]
    folder = built(world, name, program)
    done = subprocess.run([f"./{program}", *arguments], cwd=folder, capture_output=True, check=False, timeout=60)
    said = done.stderr.decode("utf-8", "replace")
    whole = done.returncode == 0 and done.stdout.startswith(b"P6") and not said
    lines = said.count("\n")
    refused = done.returncode == 2 and not done.stdout and (lines == 1 or said.startswith("usage:"))
    if not (whole or refused):
        raise HostileError(f"./{program} {arguments}: {done.returncode} {done.stdout[:30]!r} {said[:500]}")


KINDS: dict[str, tuple[Callable[[random.Random, World], None], int]] = {
    "links": (links, 14),
    "pages": (pages, 10),
    "modules": (modules, 8),
    "programs in C": (programs_in_c, 8),
}
