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
from playwright.sync_api import expect

import pointillist as pt
from tests.scripts import script
from tests.tolerances import printed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DOCS = Path(__file__).parents[2] / "docs"
SEED = 8  # of front.js
THEME = 150_000  # bytes of furo and of the page itself
ROUNDED = 1.01
"""The page adds float64, and Python too: half-way between two texts they may part."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The block of docs/index.md with what it loads."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS / "site", folder / "_static")
    (folder / "live").mkdir()
    script("make_front_script").write("digits", folder / "live" / "front.js")
    block = re.search(r"```\{raw\} html\n(.*?)\n```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    (folder / "index.html").write_text(f'<!doctype html><meta charset="utf-8">{block[1]}', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The page, served as the site is."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
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


def test_it_paints_from_disk(browser: Browser, folder: Path) -> None:
    """A visitor who opens the file has the same page; if the model is missing, the page says so in a sentence."""
    page = browser.new_page(reduced_motion="reduce")
    page.goto((folder / "index.html").as_uri())
    status = page.locator(".panel small")
    expect(status).to_contain_text("bits in all", timeout=60_000)
    (folder / "index-alone.html").write_text(
        (folder / "index.html").read_text(encoding="utf-8").replace("live/front.js", "live/missing.js"),
        encoding="utf-8",
    )
    page.goto((folder / "index-alone.html").as_uri())
    expect(status).to_contain_text("The model is missing")
    page.get_by_role("button", name="Paint").click()  # leads nowhere else
    expect(status).to_contain_text("The model is missing")
    page.close()


def test_the_front_page_is_light(folder: Path) -> None:
    """Model, script and pictures, beside the theme's 150 KB, are below 1.5 MB."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    loaded = {DOCS / "pictures" / name for name in re.findall(r'"_images/([^"]+)"', text)}
    loaded |= {folder / "_static" / name for name in re.findall(r'"_static/([^"]+)"', text)}
    loaded |= {folder / "live" / "front.js", folder / "_static" / "site.css"}
    assert len(loaded) >= 8
    assert sum(file.stat().st_size for file in loaded) + THEME < 1_500_000
