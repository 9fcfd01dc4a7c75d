"""A sentence is built of chosen words in its slots, and other words of the text stay."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pointillist.studio.page_text import script_text

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

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the page")


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
