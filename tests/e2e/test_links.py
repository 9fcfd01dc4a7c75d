"""A link is the picture: whatever made it, whoever opens its link sees the same pixels, in the studio and on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio import reproduce
from pointillist.studio.http.server import Server
from pointillist.studio.service import LIMITS, StudioService
from tests.e2e.helpers import (
    choose,
    choose_model,
    drag,
    opened,
    pixels_of,
    point,
    saved,
    serving,
    wait_for_frame,
    wait_until_painted,
)

MODELS = ("icons", "digits", "dungeons", "outline-to-tile")
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}
RULES = ("Walls around", "One way in, one way out", "Everything reachable")


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """Four bundled models."""
    with serving(StudioService(list(MODELS))) as server:
        yield server


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of their pages, by model."""
    folder = tmp_path_factory.mktemp("pages")
    for name in MODELS:
        pt.export(name, html=folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in MODELS}


def begin(page: Page, model: str) -> None:
    """Choose a model, and end the painting with which it opens."""
    choose_model(page, model)
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    expect(page.locator(".canvas-grid .words")).to_contain_text("a pixel")  # of its own picture
    wait_until_painted(page)


def seeded(page: Page, seed: int, count: int = 1) -> None:
    """Paint, and wait for the end."""
    page.get_by_label("Seed", exact=True).fill(str(seed))
    if page.get_by_role("group", name="Canvases").count():
        choose(page, "Canvases", str(count))
    finished(page, "Paint")


def finished(page: Page, button: str) -> None:
    """Press a button and wait until another picture is there."""
    before = words(page)
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator(".canvas-grid .words")).not_to_have_text(before)
    expect(page.locator(".canvas-grid .words")).to_contain_text("a pixel")
    wait_until_painted(page)


def advanced(page: Page) -> None:
    """Open the further settings."""
    page.locator("details.more > summary", has_text="More").first.click()


def nine(page: Page) -> None:
    """Images of one seed, of which the fifth is active."""
    begin(page, "digits")
    seeded(page, 5, 9)
    page.mouse.click(*point(page, 1, 1, (28, 28), place=4))
    expect(page.locator(".canvas-grid .words")).to_contain_text("image 5")


def fifth(page: Page) -> None:
    """Show the fifth image of a seed alone, from the gallery."""
    nine(page)
    page.locator(".thumbnails button").nth(4).click()


def by_rules(page: Page) -> None:
    """Let a map obey all rules, with a random seed."""
    begin(page, "dungeons")
    for name in RULES:
        page.get_by_label(name).check()
    finished(page, "Paint")


def tiled(page: Page) -> None:
    """Let a map tile in both directions."""
    begin(page, "dungeons")
    advanced(page)
    page.get_by_label("Tiles").select_option("both")
    seeded(page, 5)


def best(page: Page) -> None:
    """Take the best of four, away from another prompt."""
    begin(page, "icons")
    page.get_by_label("Text", exact=True).fill("bell")
    page.locator("summary", has_text="Not").click()
    page.get_by_label("Not", exact=True).fill("heart")  # of which an exported page holds the vector
    advanced(page)
    page.get_by_label("Best of").fill("4")
    seeded(page, 3)


def compared(page: Page) -> None:
    """Compare labels in rows and temperatures in columns."""
    begin(page, "digits")
    page.get_by_label("Compare").select_option("label")
    page.get_by_label("Names of labels").fill("3, 5")
    page.get_by_label("and, in columns").select_option("temperature")
    page.get_by_label("Values of temperature").fill("0.5, 1")
    seeded(page, 4)
    page.mouse.click(*point(page, 1, 1, (28, 28), place=2))
    expect(page.locator(".canvas-grid .words")).to_contain_text("5 ·")


def completed(page: Page) -> None:
    """Draw a wall, and let *Paint* complete it."""
    begin(page, "dungeons")
    new = page.get_by_role("button", name="New", exact=True)
    if new.is_enabled():
        new.click()
    stroke(page, 32)
    finished(page, "Paint")


def filled(page: Page) -> None:
    """Erase a part, fill it, and choose the third candidate."""
    begin(page, "digits")
    seeded(page, 4)
    eraser = page.get_by_role("button", name="Eraser")
    eraser.click()
    expect(eraser).to_have_attribute("aria-pressed", "true")  # else `stroke` takes the pencil
    stroke(page, 28)
    finished(page, "Fill")
    page.get_by_role("radiogroup", name="Candidates").get_by_role("radio").nth(2).click()
    page.wait_for_timeout(500)


def varied(page: Page) -> None:
    """Vary a painting."""
    begin(page, "digits")
    seeded(page, 4, 2)
    page.locator("summary", has_text="Variations").click()
    finished(page, "Paint variations")


def varied_by_pixels(page: Page) -> None:
    """Vary a map that was painted by rules, so that its uniforms are recovered."""
    begin(page, "dungeons")
    page.get_by_label(RULES[0]).check()
    seeded(page, 4)
    page.locator("summary", has_text="Variations").click()
    finished(page, "Paint variations")


def hinted(page: Page) -> None:
    """Draw an outline."""
    begin(page, "outline-to-tile")
    page.get_by_label("Text", exact=True).fill("cat")
    seeded(page, 9)


def repainted(page: Page) -> None:
    """Hold a pixel and paint from there."""
    begin(page, "digits")
    seeded(page, 4)
    page.mouse.click(*point(page, 14, 14, (28, 28)))
    finished(page, "Repaint from here")


def drawn(page: Page) -> None:
    """Draw and paint nothing."""
    begin(page, "icons")
    new = page.get_by_role("button", name="New", exact=True)
    if new.is_enabled():
        new.click()
    stroke(page, 24)


def stroke(page: Page, size: int) -> None:
    """Draw a line with the tool in hand, which is a drawing tool, or with the pencil."""
    if page.get_by_role("button", name="Eraser").get_attribute("aria-pressed") != "true":
        page.keyboard.press("b")
    drag(page, (size // 4, size // 4), (size // 2, size // 2), size=(size, size))
    wait_for_frame(page)


WAYS = (
    nine, fifth, by_rules, tiled, best, compared, completed, filled, varied, varied_by_pixels, hinted, repainted, drawn,
)  # fmt: skip
"""Ways to make a picture."""


def words(page: Page) -> str:
    """Return the line below the canvases: conditions, seed, rules, bits."""
    return page.locator(".canvas-grid .words").inner_text()


def picture(page: Page, folder: Path) -> np.ndarray:
    """Return the active canvas, saved as a PNG if nothing is missing."""
    if page.get_by_role("button", name="PNG", exact=True).is_disabled():
        return pixels_of(page.locator(".canvases canvas.image").first)
    with Image.open(saved(page, "PNG", folder)) as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_link_is_the_picture(
    browser: Browser, studio: Server, exported: dict[str, str], tmp_path: Path, way: Callable[[Page], None]
) -> None:
    """Opened elsewhere, the active canvas has the same pixels, and the others are beside it."""
    with opened(browser, studio.url, **CLIPBOARD) as page:
        way(page)
        line, expected = words(page), picture(page, tmp_path)
        captions = page.locator(".canvases .canvas-view:not([hidden]) .caption").all_inner_texts()
        model = page.get_by_label("Model", exact=True).input_value()
        page.get_by_role("button", name="Link", exact=True).click()
        expect(page.locator(".notice")).to_contain_text("to the bit")
        link = page.evaluate("navigator.clipboard.readText()").partition("#")[2]
    for address in (studio.url, exported[model]):
        with opened(browser, f"{address}#{link}") as page:
            page.get_by_label("Speed", exact=True).select_option("Infinity")
            expect(page.locator(".canvas-grid .words")).to_have_text(line)
            wait_for_frame(page)
            assert page.locator(".canvases .canvas-view:not([hidden]) .caption").all_inner_texts() == captions
            np.testing.assert_array_equal(picture(page, tmp_path), expected)
            expect(page.get_by_role("button", name="Link", exact=True)).to_be_visible()


def test_a_prompt_that_a_page_does_not_hold(
    browser: Browser, studio: Server, exported: dict[str, str], tmp_path: Path
) -> None:
    """The page says that it reads it by its letters; `reproduce` and the studio read it so, too."""
    with opened(browser, exported["icons"] + "#text=harts&seed=7", **CLIPBOARD) as page:
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        expect(page.locator(".notice")).to_contain_text("'harts' is read by its letters here")
        expect(page.locator(".canvas-grid .words")).to_contain_text("a pixel")
        wait_until_painted(page)
        path = saved(page, "PNG", tmp_path)
        manifest, link = reproduce.read_manifest(path), page.evaluate("location.hash")
    model = pt.load("icons")
    assert reproduce.reproduce(model, model.fingerprint, manifest, LIMITS).identical == [True]
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGBA"))
    with opened(browser, studio.url + link) as page:
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        expect(page.locator(".canvas-grid .words")).to_contain_text("“harts” by its letters · seed 7")
        expect(page.locator(".canvas-grid .words")).to_contain_text("a pixel")
        wait_until_painted(page)
        np.testing.assert_array_equal(picture(page, tmp_path), expected)
        page.get_by_label("Text", exact=True).fill("heart")
        finished(page, "Paint")
        assert "letters" not in page.evaluate("location.hash")


def test_what_a_link_cannot_show_is_said(browser: Browser, studio: Server, exported: dict[str, str]) -> None:
    """A negative prompt that a page does not hold, and a model that is not open."""
    for address, words in (
        (
            exported["icons"] + "#text=heart&negative_prompt=zxcv&seed=3",
            "holds no vector of the negative prompt 'zxcv'",
        ),
        (studio.url + "#model=nosuch&seed=1", "a painting of nosuch, which is not open here"),
    ):
        with opened(browser, address) as page:
            expect(page.get_by_role("alert")).to_contain_text(words)
