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
        "letters": True,
        "others": {"style": "0.5, -1"},
        "index": 4,
        "tiles": "both",
        "best": 8,
        "compare": {"by": "label", "values": "a, b & c", "by2": "temperature", "values2": "0.5, 1"},
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
    damaged = "#best=1&index=%20&tiles=z&compare=x&vary=2,replace,1&fill=x&allow=1.&known=%&"
    damaged += "model=icons&seed=-1&n=17&guidance=x&top_p=0&temperature=1e9&size=0x4&hint=a*b&rules=,a-b&new=1"
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
