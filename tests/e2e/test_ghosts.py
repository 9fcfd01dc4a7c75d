"""Ghosts: completions of what one draws, faint in what is not drawn yet; Tab takes one, Esc puts them away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.model.config import model_fingerprint
from pointillist.studio import reproduce
from pointillist.studio.service import LIMITS, StudioService
from tests.e2e.helpers import DIGITS, opened, pixels, pixels_of, point, saved, wait_for_frame, wait_until_painted


def draw(page: Page, row: int, size: tuple[int, int] = (8, 8)) -> None:
    """Draw a line with the pencil."""
    point(page, row, 1, size)
    page.mouse.down()
    point(page, row, size[1] - 2, size)
    page.mouse.up()


def test_tab_takes_the_faint_completion(page: Page, service: StudioService, tmp_path: Path) -> None:
    """Three of them: the picture keeps what was drawn, and its file names it."""
    ghosts = page.locator(".ghosts button")
    page.keyboard.press("b")
    page.get_by_role("button", name="Level 9", exact=True).click()
    draw(page, 3)
    expect(ghosts).to_have_count(3)
    drawn, faint = pixels(page), pixels_of(page.locator("canvas.ghost").first)
    assert ((faint[..., 3] == 0) == (drawn[..., 3] == 255)).all()
    page.keyboard.press("Tab")
    expect(ghosts).to_have_count(0)
    wait_until_painted(page)
    taken = pixels(page)
    np.testing.assert_array_equal(taken, np.where(drawn[..., 3:] == 255, drawn, faint))
    manifest = reproduce.read_manifest(saved(page, "PNG", tmp_path))
    model = service.models[DIGITS].model
    assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(pixels(page), drawn)


def test_ghosts_are_put_away_and_switched_off(page: Page) -> None:
    """Esc until the next stroke, the switch for good; then Tab goes to the next field, as everywhere."""
    ghosts = page.locator(".ghosts button")
    page.keyboard.press("b")
    draw(page, 2)
    expect(ghosts).to_have_count(3)
    page.keyboard.press("Escape")
    expect(ghosts).to_have_count(0)
    draw(page, 5)
    expect(ghosts).to_have_count(3)
    page.get_by_label("Ghosts").uncheck()
    expect(ghosts).to_have_count(0)
    draw(page, 6)
    wait_for_frame(page)
    before = pixels(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") != "image"
    np.testing.assert_array_equal(pixels(page), before)


def test_an_exported_page_has_ghosts(browser: Browser, tmp_path: Path) -> None:
    """By its own library; a click takes another than the first."""
    pt.export("digits", html=tmp_path / "digits.html")
    with opened(browser, (tmp_path / "digits.html").as_uri() + "#seed=7") as page:
        wait_until_painted(page, 1)
        page.get_by_role("button", name="New", exact=True).click()
        page.keyboard.press("b")
        draw(page, 9, (28, 28))
        expect(page.locator(".ghosts button")).to_have_count(3)
        page.get_by_role("button", name="Take completion 2 of 3").click()
        wait_until_painted(page, 2)
        manifest = reproduce.read_manifest(saved(page, "PNG", tmp_path))
    model = pt.load("digits")
    assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]
