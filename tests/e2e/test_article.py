"""The article "How a picture costs 72 bits": its figure stays in view and follows the paragraph that is read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.test_accessibility import violations
from tests.scripts import script

pytest.importorskip("furo", reason="the theme of the site (the extra `docs`) is not installed")

DOCS = Path(__file__).parents[2] / "docs"
SIZES = {"wide": (1440, 900), "phone": (390, 844), "side": (844, 390)}


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the article, built by the settings of the site, with its model."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    (source / "index.md").write_text("# Site\n\n```{toctree}\nexplanation/bits\n```\n", encoding="utf-8")
    (source / "explanation").mkdir()
    shutil.copy(DOCS / "explanation" / "bits.md", source / "explanation")
    shutil.copytree(DOCS / "pictures", source / "pictures")
    command = [sys.executable, "-m", "sphinx", "-q", "-c", str(DOCS), "-b", "html", str(source), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    (out / "live").mkdir()
    (out / "live" / "digits.html").write_text("<!doctype html><html lang='en'><title>Game</title><main>A game</main>")
    script("make_front_script").write("icons", out / "live" / "icons.js")
    return (out / "explanation" / "bits.html").as_uri()


@contextmanager
def reading(browser: Browser, address: str, size: tuple[int, int] = (1440, 900), **context: Any) -> Iterator[Page]:
    """The article in a browser of its own; no script fails."""
    inside = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
    page, errors = inside.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(60_000)
    page.goto(address)
    yield page
    inside.close()
    assert errors == []


def read(page: Page, text: str) -> None:
    """Scroll to a paragraph: it lies in the middle of what is in view."""
    page.locator("article").get_by_text(text).first.evaluate("each => each.scrollIntoView({ block: 'center' })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_figure_follows_the_paragraph(browser: Browser, article: str, size: str, scheme: str) -> None:
    """It is in view beside or above each paragraph, and shows what that speaks of, with the numbers of the text."""
    with reading(browser, article, SIZES[size], color_scheme=scheme) as page:
        figure = page.locator(".story-figure")
        expect(figure.locator("p")).to_contain_text("So far")
        for text, said in [
            ("Add all payments", r"Row 23, column 23: .* So far 72\.4 bits"),
            ("The most expensive pixel is in row", r"Row 17, column 16: p = 0\.01\d, 6\.1 bits"),
            ("It was sure, and right", r"p = 0\.\d+, [01]\.\d bits\. So far [0-9]\."),
        ]:
            read(page, text)
            expect(figure.locator("p")).to_have_text(re.compile(said))
            expect(figure.locator("canvas")).to_be_in_viewport(ratio=0.9)
            paragraph = page.locator("article").get_by_text(text).first
            expect(paragraph).to_be_in_viewport()
            words, shown = paragraph.bounding_box(), figure.bounding_box()
            assert words is not None
            assert shown is not None
            beside = shown["x"] >= words["x"] + words["width"] or shown["y"] + shown["height"] <= words["y"] + 1
            assert beside, "the figure covers the words"
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        assert violations(page) == []
