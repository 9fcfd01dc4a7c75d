"""The packages for JavaScript in Chromium: by a page without a bundler, in a worker, as an element, and built by vite."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from tests.runtime.test_npm import project

PAGE = """<!doctype html><html lang="en"><title>npm</title>
<script type="importmap">{"imports": {"pointillist/picture": "./node_modules/pointillist/picture.js",
  "@pointillist/digits": "./node_modules/@pointillist/digits/index.js"}}</script>
<p style="height: 4000px">The pictures are below.</p>
<pointillist-picture model="digits" label="3" seed="7" scale="2" id="three"><img alt="before"></pointillist-picture>
<pointillist-picture model="nothing" link="https://example.org/{model}.html"><img alt="in its place"></pointillist-picture>
<script type="module" src="./npm_jobs.mjs"></script><script type="module">import "pointillist/picture";</script>"""
WORKER = """import { sample } from "./node_modules/pointillist/index.js";
import digits from "./node_modules/@pointillist/digits/index.js";
const { levels } = await sample(digits, 1, { seed: 7 });
postMessage(levels, [levels.buffer]);
postMessage(levels.length);"""
BUNDLED = """import { sample } from "pointillist"; import digits from "@pointillist/digits";
sample(digits, 1, { seed: 7 }).then(({ levels }) => (window.here = Array.from(levels)));
const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" }), messages = [];
worker.onmessage = ({ data }) => messages.push(data) === 2 && (window.there = [Array.from(messages[0]), messages[1]]);"""
FROM_WORKER = """() => new Promise((done) => { const messages = [], worker = new Worker("./worker.mjs", { type: "module" });
  worker.onmessage = ({ data }) => messages.push(data) === 2 && done([Array.from(messages[0]), messages[1]]); })"""


@contextmanager
def shown(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page of a folder, from a server of files."""
    handler = partial(type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None}), directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context(reduced_motion="reduce")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page
        context.close()
        server.shutdown()


def test_a_page_without_a_bundler(browser: Browser, tmp_path: Path) -> None:
    """Levels of Python in the page and in a worker, which hands them over; elements paint when they are seen."""
    (project(tmp_path, "digits") / "index.html").write_text(PAGE)
    (tmp_path / "worker.mjs").write_text(WORKER)
    labelled, free = (pt.sample("digits", 1, seed=7, label=label).levels for label in ("3", None))
    with shown(browser, tmp_path) as page:
        drawn, damaged = json.loads(
            page.evaluate("(jobs) => answer(jobs)", [["sample", "digits", 1, {"seed": 7}], ["bytes", 10]])
        )
        assert drawn["levels"] == free.ravel().tolist()
        assert damaged.startswith("The model is damaged or cut off (")
        assert page.evaluate(FROM_WORKER) == [free.ravel().tolist(), 0]  # the buffer has left
        three, absent = page.locator("pointillist-picture").all()
        canvas, before = three.locator("canvas"), page.get_by_alt_text("before")
        expect(before).to_be_visible()
        expect(canvas).to_be_hidden()
        three.scroll_into_view_if_needed()
        expect(canvas).to_be_visible()
        expect(before).to_be_hidden()
        expect(canvas).to_have_attribute("aria-label", "3, painted by the model digits, seed 7")
        data = canvas.evaluate("(canvas) => Array.from(canvas.getContext('2d').getImageData(0, 0, 56, 56).data)")
        pixels = np.array(data).reshape(56, 56, 4)[::2, ::2, 0]
        np.testing.assert_array_equal(pixels, np.array(pt.sample("digits", 1, seed=7, label="3").images[0].convert("L")))
        three.get_by_role("button", name="Copy link").click()
        expect(three.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{page.url}#three"
        message = "new Promise((done) => { element.addEventListener('error', ({ message }) => done(message)); element.paint(); })"
        assert "There is no model nothing here" in absent.evaluate(f"(element) => {message}")
        assert absent.evaluate("({ address }) => address") == "https://example.org/nothing.html#model=nothing"
        expect(page.get_by_alt_text("in its place")).to_be_visible()
        assert labelled.shape == free.shape


@pytest.mark.proof
def test_a_bundle_of_vite(browser: Browser, tmp_path: Path) -> None:
    """Built by vite from an import in the page and one in a worker."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here: vite comes by it.")
    (project(tmp_path, "digits") / "index.html").write_text('<script type="module" src="./main.js"></script>')
    (tmp_path / "main.js").write_text(BUNDLED)
    (tmp_path / "worker.mjs").write_text(WORKER)
    (tmp_path / "vite.config.js").write_text('export default { worker: { format: "es" }, build: { target: "esnext" } };')
    kept = (tmp_path / "node_modules").rename(tmp_path / "kept")  # npm removes what it did not install
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    install = [npm, "install", "--no-audit", "--no-fund", "vite@8"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("The registry of npm does not answer: vite comes from it.")
    shutil.copytree(kept, tmp_path / "node_modules", dirs_exist_ok=True)
    built = subprocess.run([npm, "exec", "vite", "build"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    levels = pt.sample("digits", 1, seed=7).levels.ravel().tolist()
    with shown(browser, tmp_path / "dist") as page:
        page.wait_for_function("window.here && window.there")
        assert page.evaluate("[window.here, window.there]") == [levels, [levels, 0]]
