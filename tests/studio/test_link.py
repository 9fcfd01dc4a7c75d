"""Links: what is written is read again, whatever it is, by the module of the page, in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import pointillist

MODULE = Path(pointillist.__file__).parent / "studio" / "page" / "state" / "link.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="The module of links is run in Node, which is not here.")


def run(expression: str, module: Path = MODULE) -> Any:
    """Evaluate an expression with the functions of a module, `link`."""
    code = f"import * as link from {json.dumps(module.as_uri())};\nconsole.log(JSON.stringify({expression}));"
    result = subprocess.run(
        [NODE or "node", "--input-type=module"], input=code, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(result.stdout)


def test_a_link_is_read_as_it_was_written() -> None:
    """With letters that an address escapes."""
    link = {
        "model": "icons",
        "text": "50% a&b = #1 \u2603\nz",
        "not": "x+y",
        "label": "material-symbols",
        "order": "s-curve",
        "attributes": {"hair colour": "red & grey"},
        "guidance": 0,
        "temperature": 0.8,
        "top_p": 1,
        "seed": 2**53 - 1,
        "n": 9,
        "size": [24, 32],
        "rules": ["walls", "reachable"],
        "hint": "AZ-_09",
    }
    assert run(f"link.readLink(link.writeLink({json.dumps(link)}))") == link


def test_what_is_not_valid_is_left_out() -> None:
    """A damaged link still gives what is readable."""
    damaged = "#model=icons&seed=-1&n=17&guidance=x&top_p=0&temperature=1e9&size=0x4&hint=a*b&rules=,a-b&new=1"
    assert run(f"link.readLink({json.dumps(damaged)})") == {"model": "icons"}
    assert run('[link.readLink(""), link.readLink("#"), link.readLink("#seed=")]') == [None, None, None]


@pytest.mark.parametrize("levels", [2, 3, 17, 256, 300])
def test_levels_are_unpacked_as_they_were_packed(levels: int) -> None:
    """And other counts, or values that are too large, are rejected."""
    values = [(i * 7) % levels for i in range(61)]
    packed = f"link.packLevels({values}, {levels})"
    assert run(f"link.unpackLevels({packed}, {levels}, 61)") == values
    assert run(f"link.unpackLevels({packed}, {levels}, 161)") is None
    if levels & (levels - 1):
        assert run(f"link.unpackLevels(link.packLevels([{levels}], {levels}), {levels}, 1)") is None
