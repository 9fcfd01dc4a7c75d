"""Modules of the page in Node: links are read as they were written, nothing is lost, words take their slots."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pointillist.studio.export.page import script_text

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="The module of links is run in Node, which is not here.")


def run(expression: str, module: str = "state/link.js") -> Any:
    """Evaluate an expression with the functions of a module, `link`."""
    code = f"{script_text(module)}\nconst link = modules[{module!r}];\nconsole.log(JSON.stringify({expression}));"
    result = subprocess.run(
        [NODE or "node", "--input-type=module"], input=code, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(result.stdout)


def test_a_link_is_read_as_it_was_written() -> None:
    """With letters that an address escapes."""
    link = {
        "model": "icons",
        "text": "50% a&b = #1 \u2603\nz",
        "negative_prompt": "x+y",
        "label": "material-symbols",
        "order": "s-curve",
        "attributes": {"hair colour": "red & grey"},
        "guidance": 0,
        "temperature": 0.8,
        "top_p": 1,
        "seed": 2**53 - 1,
        "n": 9,
        "size": [24, 32],
        "rules": "walls,reachable",
        "letters": True,
        "others": {"style": "0.5, -1"},
        "index": 4,
        "seamless": "both",
        "best_of": 8,
        "compare": "label",
        "values": "a, b & c",
        "compare2": "temperature",
        "values2": "0.5, 1",
        "vary": {"strength": 0.3, "kind": "regions", "seed": 5},
        "origin": "AZ-_09",
        "of": '{"text":"bell"}',
        "known": "0-9_A",
        "fill": "smc",
        "allow": [{"levels": [1, 3], "region": "AA-8"}, {"levels": [0], "region": "B"}],
        "hint": "AZ-_09",
    }
    assert run(f"link.readLink(link.writeLink({json.dumps(link)}))") == link


def test_what_is_not_valid_is_left_out() -> None:
    """A damaged link still gives what is readable."""
    damaged = "#best_of=1&index=%20&seamless=z&compare=x&vary=2,replace,1&fill=x&allow=1.&known=%&"
    damaged += "model=icons&seed=-1&n=17&guidance=x&top_p=0&temperature=-1&size=0x4&hint=a*b&new=1"
    assert run(f"link.readLink({json.dumps(damaged)})") == {"model": "icons"}
    assert run('[link.readLink(""), link.readLink("#"), link.readLink("#seed=")]') == [None, None, None]


def test_what_is_too_long_is_left_out_and_named() -> None:
    """And the rest of the link stays."""
    drawing = {"model": "icons", "known": "A" * 6001, "allow": [{"levels": [1], "region": "A" * 6001}]}
    written, names = run(f"[link.writeLink({json.dumps(drawing)}), link.leftOut({json.dumps(drawing)})]")
    assert (written, names) == ("#model=icons", ["your drawing", "the levels that you allowed"])
    assert run('link.leftOut({known: "A"})') == []


@pytest.mark.parametrize("levels", [2, 3, 17, 256, 300])
def test_levels_are_unpacked_as_they_were_packed(levels: int) -> None:
    """And other counts, or values that are too large, are rejected."""
    values = [(i * 7) % levels for i in range(61)]
    packed = f"link.packLevels({values}, {levels})"
    assert run(f"link.unpackLevels({packed}, {levels}, 61)") == values
    assert run(f"link.unpackLevels({packed}, {levels}, 161)") is None
    if levels & (levels - 1):
        assert run(f"link.unpackLevels(link.packLevels([{levels}], {levels}), {levels}, 1)") is None


ASKED_TWICE = """
globalThis.document = globalThis.window = { addEventListener() {} };
const { Keeper } = modules["state/keeper.js"], written = [];
const workspace = { canvases: [] }, history = { past: [], now: workspace, future: [] };
const now = { modelId: "digits", request: { temperature: 1 } };
const state = { ...now, mapEdits: null, gallery: [], history, drafts: new Map() };
const keeper = new Keeper(state, undefined);
const set = async (name, value) => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  if (name === "settings") written.push(value.request.temperature);
};
keeper.storage = { set };
const first = keeper.save();
state.request = { temperature: 0.6 };
await keeper.save();
await first;
console.log(JSON.stringify(written));
"""


def test_a_save_that_is_asked_for_during_another_follows_it(tmp_path: Path) -> None:
    """The settings at the second call are written, too."""
    script = tmp_path / "keeper.mjs"
    script.write_text(script_text("state/keeper.js") + ASKED_TWICE, encoding="utf-8")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1, 0.6]


KINDS = {
    "colour": ["red", "orange"],
    "thing": ["cat", "owl", "birthday cake", "cake"],
    "relation": ["on", "under", "left of"],
    "support": ["sofa", "bed", "house"],
    "place": ["in the snow"],
    "time": ["at night"],
}
SENTENCE = "[a/an {colour} {thing}] [{relation=on} a/an {colour} {support}] [{place}] [{time}]"
COLOUR, THING, RELATION, SUPPORT_COLOUR, SUPPORT, PLACE, TIME = range(7)


@pytest.mark.parametrize(
    ("text", "slot", "word", "expected", "loses"),
    [
        ("", THING, "owl", "an owl", False),
        ("an owl", COLOUR, "red", "a red owl", False),
        ("a red owl", COLOUR, "orange", "an orange owl", False),
        ("a red owl", COLOUR, "", "an owl", False),
        ("a red owl", SUPPORT, "bed", "a red owl on a bed", False),
        ("a cat on a bed", RELATION, "left of", "a cat left of a bed", False),
        ("a cat sitting on a bed", SUPPORT_COLOUR, "orange", "a cat sitting on an orange bed", False),
        ("A cat sitting on a bed", THING, "owl", "An owl sitting on a bed", False),
        ("a kitten on a bed", TIME, "at night", "a kitten on a bed at night", False),
        ("a cat at night", PLACE, "in the snow", "a cat in the snow at night", False),
        ("a cat on a bed at night", SUPPORT, "", "a cat at night", False),
        ("a sleepy cat on a bed", SUPPORT, "", "a cat", True),
        ("a birthday cake on a sofa", THING, "cat", "a cat on a sofa", False),
        ("draw a cat by the sea at night", SUPPORT, "bed", "a cat on a bed at night", True),
        ("a catfish", THING, "cat", "a catfish a cat", False),
        ("on a red bed is a cat", THING, "owl", "on a red bed is an owl", False),
        ("a red house with a cat", SUPPORT_COLOUR, "orange", "an orange house with a cat", False),
    ],
)
def test_a_word_is_put_into_its_slot(
    text: str, slot: int, word: str, expected: str, loses: bool, tmp_path: Path
) -> None:
    """In the place of another, before its head, at the end with its usual relation; articles agree."""
    script = tmp_path / "sentence.mjs"
    given = ", ".join(json.dumps(each) for each in (KINDS, text, slot, word))
    script.write_text(
        f"{script_text('state/prompt_words.js')}\n"
        'const { edit, groupsOf } = modules["state/prompt_words.js"];\n'
        f"console.log(JSON.stringify(edit(groupsOf({json.dumps(SENTENCE)}), {given})));\n"
    )
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"text": expected, "loses": loses}
