"""The first screen of the site: it paints a number by the package's own module, at the price that Python names."""

from __future__ import annotations

import http.server
import math
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pointillist as pt
from tests.tolerances import printed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DOCS = Path(__file__).parents[2] / "docs"
SEED = 8  # of front.js
ROUNDED = 1.01
"""The page adds float64, and Python too: half-way between two texts they may part."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The block of docs/index.md with what it loads."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS / "site", folder / "_static")
    pt.export("digits", js=folder / "live")
    block = re.search(r"```\{raw\} html\n(.*?)\n```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    (folder / "index.html").write_text(f'<!doctype html><meta charset="utf-8">{block[1]}', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The block, served as the site is."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


def test_a_number_is_painted_at_its_price(browser: Browser, address: str) -> None:
    """Its bits are those of `pt.sample` with the same seed; another number is painted with the next seed."""
    page = browser.new_page(reduced_motion="reduce")
    page.goto(address)
    for seed, number in ((SEED, "2026"), (SEED + 1, "31")):
        if seed > SEED:
            page.get_by_label("A number to paint").fill(number)
            page.get_by_role("button", name="Paint").click()
        page.wait_for_function(f"document.querySelectorAll('.digits canvas').length === {len(number)}")
        page.wait_for_function("document.querySelector('.panel small').textContent.includes('in all')", timeout=60_000)
        told = page.locator(".panel small").inner_text()
        nats = pt.sample("digits", len(number), label=list(number), seed=seed).nats.sum()
        assert float(told.split(" bits")[0]) == pytest.approx(-nats / math.log(2), abs=ROUNDED * printed(1))
    page.get_by_label("A number to paint").fill("")
    page.get_by_role("button", name="Paint").click()
    assert "type a number" in page.locator(".panel small").inner_text()
    page.close()


def test_a_page_without_a_server_says_so(browser: Browser, site: Path) -> None:
    """Opened as a file, where a browser loads no module."""
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_function("document.querySelector('.panel small').textContent.includes('could not be loaded')")
