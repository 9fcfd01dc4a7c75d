"""Draw pictures by the scripts of an exported page, in Node or in Chromium; conditions are integers of Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pointillist.studio.export.page import pack_model, script_text

PAINT = """
globalThis.paintAll = async (packed, jobs) => {
  const { opened } = await modules["offline/module.js"].Model.open(packed), results = [];
  if (!opened.compiled) throw new Error("WebAssembly does not run here");
  for (const { inputs, ...options } of jobs) {
    const arrays = inputs && Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, Int32Array.from(x)]));
    opened.compiled.release();
    const settings = { ...options, inputs: arrays, begin: opened.begin };
    results.push([...modules["runtime/pointillist.js"].sample(opened.model, settings).levels]);
  }
  return results;
};
"""
NODE = """
import { readFileSync } from "node:fs";
const { packed, jobs } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await paintAll(packed, jobs)));
"""
SCRIPT = "offline/module.js"
Jobs = list[dict[str, Any]]


def paint_in_node(name: str, folder: Path, jobs: Jobs) -> list[list[int]]:
    """Draw pictures of a model; `jobs` are options of `sample` in `pointillist.js`."""
    with tempfile.TemporaryDirectory() as temporary:
        script = Path(temporary) / "paint.mjs"
        script.write_text(script_text(SCRIPT) + PAINT + NODE, encoding="utf-8")
        message = json.dumps({"packed": pack_model(name, folder)[0], "jobs": jobs})
        command = [str(shutil.which("node")), str(script)]
        done = subprocess.run(command, input=message, capture_output=True, text=True, check=True)
    result: list[list[int]] = json.loads(done.stdout)
    return result


def paint_in_chromium(name: str, folder: Path, jobs: Jobs) -> list[list[int]]:
    """Draw pictures of a model in a page that is not on a server."""
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import ARGUMENTS, CHROMIUM

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        page_file = Path(temporary) / "page.html"
        page_file.write_text(f"<script>{script_text(SCRIPT)}{PAINT}</script>", encoding="utf-8")
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(page_file.as_uri())
        message = json.dumps([pack_model(name, folder)[0], jobs])  # as text: millions of numbers take seconds otherwise
        painted = page.evaluate("async (message) => JSON.stringify(await paintAll(...JSON.parse(message)))", message)
        browser.close()
    result: list[list[int]] = json.loads(painted)
    return result
