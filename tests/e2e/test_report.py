"""The report of one image: its painting is replayed, and stops lead to pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from playwright.sync_api import Browser, expect

import pointillist as pt
from tests.e2e.helpers import SECONDS
from tests.e2e.models import digits

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
