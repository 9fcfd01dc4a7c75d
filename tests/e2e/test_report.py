"""The report of one image: its painting is replayed, and stops lead to pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

import pointillist as pt
from tests.e2e.helpers import SECONDS
from tests.e2e.models import colours, digits, outliner

PAINTED = """c => Array.from(c.getContext('2d').getImageData(0, 0, 8, 8).data)
  .filter((v, i) => i % 4 === 3 && v === 255).length"""


def test_the_painting_is_replayed(browser: Browser, tmp_path: Path) -> None:
    """Pixel after pixel in the order of the model; then the image is whole again."""
    image = torch.arange(64).reshape(1, 8, 8) % 17
    file = pt.explain(digits(), image, "3").save(tmp_path / "report.html")
    page = browser.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(file.as_uri())
    expect(page.locator("html.live")).to_be_visible()
    button, picture = page.locator("#replay"), page.locator("#map")
    assert picture.evaluate(PAINTED) == 64
    button.click()
    expect(button).to_have_text("Stop")
    page.wait_for_function(f"({PAINTED})(document.getElementById('map')) < 60")
    expect(page.locator("#order-index")).to_contain_text("of 64 in the order of painting")
    expect(button).to_have_text("Replay the painting")
    assert picture.evaluate(PAINTED) == 64
    button.click()
    button.click()
    expect(button).to_have_text("Replay the painting")
    assert picture.evaluate(PAINTED) == 64
    page.close()


OVERLAPS = """() => [...document.querySelectorAll('#numbers dd')].filter((dd) => {
  const range = document.createRange();
  range.selectNodeContents(dd);
  const text = range.getBoundingClientRect(), box = dd.parentElement.getBoundingClientRect();
  return text.right > box.right + 0.5;
}).map((dd) => dd.textContent)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_both_likelihoods_have_the_same_page(browser: Browser, tmp_path: Path, width: int) -> None:
    """Story, distributions of each channel, bits, what-if; nothing of labels where there is none; all numbers fit."""
    pages = {}
    for model, name in ((digits(), "categorical"), (colours(), "mixture")):
        assert model.likelihood.name == name
        channels, height, width_of_image = model.image.shape
        image = torch.arange(channels * height * width_of_image).reshape(model.image.shape) * 67 % model.image.levels
        file = pt.explain(model, image, continuations=1).save(tmp_path / f"{name}.html")
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.set_default_timeout(SECONDS)
        page.goto(file.as_uri())
        expect(page.locator("html.live")).to_be_visible()
        expect(page.locator("#bars svg")).to_have_count(channels)
        for stop in page.locator(".stops a").all():
            stop.click()
            expect(page.locator("#where")).to_have_text(
                f"Row {', column '.join(stop.get_attribute('href')[1:].split(','))}"
            )
            assert page.evaluate(OVERLAPS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pages[name] = page.locator("h2").all_inner_texts()
        if name == "mixture":
            assert "label" not in page.locator("body").inner_text().lower()
        page.close()
    for part in ("Three stops", "Every map", "Where the bits go", "What if", "Try next", "The numbers"):
        assert all(part in headings for headings in pages.values()), part


COLOURED = """c => { const d = c.getContext('2d').getImageData(0, 0, 8, 8).data;
  return Array.from({ length: 64 }, (_, i) => i).filter((i) => d[4 * i] !== d[4 * i + 2]); }"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_word_lights_up_its_pixels_and_a_pixel_its_words(browser: Browser, tmp_path: Path, width: int) -> None:
    """Passed over, a word shows its map until it is left; clicked, it stays; a tab ends it. Keys do it, too."""
    model, image = outliner(), torch.arange(64).reshape(1, 8, 8) % 4
    explanation = pt.explain(model, image, text="red red heart", exchange={"heart": "apple"}, continuations=0)
    assert explanation.conditions is not None
    gains = (*explanation.conditions.words, *explanation.conditions.exchanges)
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_default_timeout(SECONDS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(explanation.save(tmp_path / "report.html").as_uri())
    expect(page.locator("html.live")).to_be_visible()
    words, picture = page.locator("#words button"), page.locator("#map")
    expect(words).to_have_count(4)
    before = picture.evaluate("c => c.toDataURL()")
    words.nth(2).hover()
    expect(page.locator("#word-name")).to_have_text("heart")
    saved = np.abs(gains[2].saved.sum(0)).ravel()
    strong = set(np.flatnonzero(saved > 0.1 * saved.max()).tolist())
    assert strong
    assert strong <= set(picture.evaluate(COLOURED))
    page.locator("h1").hover()
    assert picture.evaluate("c => c.toDataURL()") == before
    words.nth(0).hover()  # not read: a word that is repeated
    assert picture.evaluate(COLOURED) == []
    words.nth(2).click()
    expect(words.nth(2)).to_have_attribute("aria-pressed", "true")
    page.locator("h1").hover()
    assert strong <= set(picture.evaluate(COLOURED))
    site = int(saved.argmax())
    page.goto(f"{page.url.split('#')[0]}#{site // 8},{site % 8}")
    value = gains[2].saved.sum(0).ravel()[site]
    expect(page.locator("#numbers")).to_contain_text(f"heart {value:+.1f}".replace("-", "\u2212"))
    assert words.nth(2).evaluate("b => b.style.background") != ""
    assert words.nth(0).evaluate("b => b.style.background") == ""
    page.get_by_role("button", name="Image", exact=True).click()
    expect(words.nth(2)).to_have_attribute("aria-pressed", "false")
    assert picture.evaluate("c => c.toDataURL()") == before
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#word-name")).to_have_text("heart, not apple")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
    assert errors == []
