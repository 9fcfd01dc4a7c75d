"""Pages of the site: the first screen paints, the figure of an article follows its text, axe finds nothing."""

from __future__ import annotations

import http.server
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from tests.e2e.test_accessibility import violations
from tests.scripts import script
from tests.tolerances import printed

DOCS = Path(__file__).parents[2] / "docs"
SEED = 8  # of front.js
WORDS = ("heart", "house", "cat", "star")  # of cards.js
PIXELS = """name => { const canvas = document.querySelector(name);
    return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data] }"""
THEME = 150_000  # bytes of furo and of the page itself
ROUNDED = 1.01
"""The page adds float64, and Python too: half-way between two texts they may part."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The block of docs/index.md with what it loads."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS / "site", folder / "_static")
    (folder / "live").mkdir()
    for name in ("digits", "icons"):
        script("make_front_script").write(name, folder / "live" / f"{name}.js")
    block = re.search(r"```\{raw\} html\n(.*?)\n```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    (folder / "_images").mkdir()
    for name in re.findall(r'"_images/([^"]+)"', block[1]):
        shutil.copy(DOCS / "pictures" / name, folder / "_images")
    (folder / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="_static/site.css">{block[1]}',
        encoding="utf-8",
    )
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
        (folder / "index.html").read_text(encoding="utf-8").replace("live/digits.js", "live/missing.js"),
        encoding="utf-8",
    )
    page.goto((folder / "index-alone.html").as_uri())
    expect(status).to_contain_text("The model is missing")
    page.get_by_role("button", name="Paint").click()  # leads nowhere else
    expect(status).to_contain_text("The model is missing")
    page.close()


def test_a_card_paints_while_the_pointer_is_on_it(browser: Browser, address: str) -> None:
    """The levels of `pt.sample`; a click leads to them. Then its picture is back, as where the model is not there."""
    page = browser.new_page(reduced_motion="reduce")
    page.goto(address)
    card = page.locator("[data-show=word]")
    expect(card.locator("canvas")).to_have_count(0)
    assert (
        page.evaluate("document.querySelectorAll('script[src^=\"live/\"]').length") == 1
    )  # no model before it is needed
    for move in ("hover", "focus"):
        if move == "hover":
            card.hover()
        else:
            card.evaluate("card => card.focus({focusVisible: true})")
        expect(card.locator("canvas[data-seed]")).to_be_visible(timeout=60_000)
        expect(card.locator("img")).to_be_hidden()
        seed = int(str(card.locator("canvas").get_attribute("data-seed")))
        text = WORDS[(seed - 1) % len(WORDS)]
        assert str(card.get_attribute("href")).endswith(f"live/icons.html#text={text}&label=tabler&seed={seed}&n=2")
        samples = pt.sample("icons", 2, text=text, label="tabler", seed=seed)
        assert_drawn(page, samples)
        page.mouse.move(0, 0)
        card.evaluate("card => card.blur()")
        expect(card.locator("img")).to_be_visible()
        assert str(card.get_attribute("href")).endswith("live/icons.html")
    page.locator("[data-show=sentence]").hover()  # there is no live/scenes.js here
    expect(page.locator("script[src='live/scenes.js']")).to_have_count(1)
    expect(page.locator("[data-show=sentence] img")).to_be_visible()
    page.close()


def assert_drawn(page: Page, samples: pt.Samples) -> None:
    """Check that the card of words shows two samples."""
    drawn = np.asarray(page.evaluate(PIXELS, "[data-show=word] canvas"), np.uint8).reshape(24, 50, 4)
    for n, left in enumerate((0, 26)):
        expected = np.asarray(samples.images[n].convert("RGBA"))
        np.testing.assert_array_equal(drawn[:, left : left + 24], expected)


def test_each_card_has_what_it_paints() -> None:
    """Each card is known to its script, whose models are written next to the site."""
    cards, index, conf = (
        (DOCS / name).read_text(encoding="utf-8") for name in ("site/cards.js", "index.md", "conf.py")
    )
    shows = dict(re.findall(r'^  (\w+): \{ model: "([\w-]+)"', cards, re.MULTILINE))
    assert sorted(re.findall(r'data-show="(\w+)"', index)) == sorted(shows)
    scripts = re.search(r"^SCRIPTS = \((.*?)\)", conf, re.MULTILINE)
    assert scripts is not None
    assert set(shows.values()) <= set(re.findall(r'"([\w-]+)"', scripts[1]))


def test_the_front_page_is_light(folder: Path) -> None:
    """Model, script and pictures, beside the theme's 150 KB, are below 1.5 MB."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    loaded = {folder / name for name in re.findall(r'"(_(?:images|static)/[^"]+)"', text)}
    loaded |= {folder / "live" / "digits.js", folder / "_static" / "site.css"}
    assert len(loaded) >= 8
    assert sum(file.stat().st_size for file in loaded) + THEME < 1_500_000


SIZES = {"wide": (1440, 900), "phone": (390, 844), "side": (844, 390)}


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the article, built by the settings of the site, with its model."""
    pytest.importorskip("furo", reason="the theme of the site (the extra `docs`) is not installed")
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


SECOND = """# A second page

Words before a table whose first column has no name, and code that is wider than a phone.

| | a | b |
|---|---|---|
| of a row | 1 | a value of so many words that a phone has no room for it in one line, nor in two of them |

```python
print("a line of code that is so long that it scrolls on a phone, whatever one does: its words go on and on and on")
```

## Further

Words.
"""


ADDRESS = "https://example.org/paint/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The front page and another one, with the settings of the site; without live pages."""
    pytest.importorskip("furo", reason="the theme of the site (the extra `docs`) is not installed")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    front = (DOCS / "index.md").read_text(encoding="utf-8")
    block = front[front.index("```{raw} html") : front.index("\n```", front.index("```{raw} html") + 3) + 4]
    tree = "\n\n```{toctree}\n:caption: Pages\nsecond\n```\n"
    head = front[: front.index("# Pointillist")]
    (source / "index.md").write_text(f"{head}# Pointillist\n\n{block}{tree}", encoding="utf-8")
    (source / "second.md").write_text(SECOND, encoding="utf-8")
    shutil.copytree(DOCS / "pictures", source / "pictures")
    command = [sys.executable, "-m", "sphinx", "-q", "-c", str(DOCS), "-b", "html", str(source), str(out)]
    environment = {**os.environ, "POINTILLIST_SITE": ADDRESS + "live/{model}.html"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return out


def test_a_link_in_a_chat_shows_a_picture(site: Path) -> None:
    """Its address is a whole one where that of the site is configured, and there is a file behind it."""
    image = re.search('content="([^"]*)" property="og:image"', (site / "index.html").read_text(encoding="utf-8"))
    assert image is not None
    assert image[1].startswith(ADDRESS + "_images/")
    name = image[1].removeprefix(ADDRESS + "_images/")
    assert f"](pictures/{name})" in (DOCS / "index.md").read_text(encoding="utf-8")  # which copies it there


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page_name", ["index", "second"])
def test_nothing_to_mend_in_the_site(
    browser: Browser, site: Path, page_name: str, scheme: str, size: tuple[int, int]
) -> None:
    """Contents, headings, tables and code of the theme, and the front page before its model has come."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})  # type: ignore[arg-type]
    page = context.new_page()
    page.goto((site / f"{page_name}.html").as_uri())
    assert violations(page) == []
    context.close()
