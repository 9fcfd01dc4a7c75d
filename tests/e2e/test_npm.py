"""The packages for JavaScript in Chromium: without a bundler, in a worker, as an element, built by vite."""

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


@contextmanager
def shown(browser: Browser, folder: Path, name: str = "") -> Iterator[Page]:
    """The page of a folder, from a server of files."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = partial(quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context(reduced_motion="reduce")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"http://127.0.0.1:{server.server_port}/{name}")
        yield page
        context.close()
        server.shutdown()


def test_a_page_without_a_bundler(browser: Browser, tmp_path: Path) -> None:
    """Levels of Python in the page and in a worker, which hands them over; elements paint when they are seen."""
    free = pt.sample("digits", 1, seed=7).levels
    with shown(browser, project(tmp_path, "digits")) as page:
        jobs = [["sample", "digits", 1, {"seed": 7}], ["bytes", 10]]
        drawn, damaged = json.loads(page.evaluate("(jobs) => answer(jobs)", jobs))
        assert drawn["levels"] == free.ravel().tolist()
        assert damaged.startswith("The model is damaged or cut off (")
        assert page.evaluate("fromWorker()") == [free.ravel().tolist(), 0]  # the buffer has left
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
        expected = pt.sample("digits", 1, seed=7, label="3").images[0]
        np.testing.assert_array_equal(pixels, np.array(expected.convert("L")))
        three.get_by_role("button", name="Copy link").click()
        expect(three.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{page.url}#three"
        assert "There is no model nothing here" in absent.evaluate("(element) => sentenceOf(element)")
        assert absent.evaluate("({ address }) => address") == "https://example.org/nothing.html#model=nothing"
        expect(page.get_by_alt_text("in its place")).to_be_visible()


@pytest.mark.proof
def test_a_bundle_of_vite(browser: Browser, tmp_path: Path) -> None:
    """Built by vite from an import in the page and one in a worker."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here: vite comes by it.")
    project(tmp_path, "digits")
    kept = (tmp_path / "node_modules").rename(tmp_path / "kept")  # npm removes what it did not install
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    install = [npm, "install", "--no-audit", "--no-fund", "vite@8"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("The registry of npm does not answer: vite comes from it.")
    shutil.copytree(kept, tmp_path / "node_modules", dirs_exist_ok=True)
    built = subprocess.run([npm, "exec", "vite", "build"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    levels = pt.sample("digits", 1, seed=7).levels.ravel().tolist()
    with shown(browser, tmp_path / "dist", "bundled.html") as page:
        page.wait_for_function("window.here && window.there")
        assert page.evaluate("[window.here, window.there]") == [levels, [levels, 0]]
