"""What a page keeps in the browser: nothing that changes while something else is written is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pointillist.studio.page_text import script_text

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the page")

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
