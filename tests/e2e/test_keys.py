"""The keyboard does what the pointer does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from pointillist.analysis import ImageQuery, counterfactual
from pointillist.studio.service import StudioService
from tests.e2e.helpers import DIGITS, canvas, paint, pixels, wait_until_painted


def test_pixels_are_chosen_and_keys_are_listed(page: Page) -> None:
    """Arrows, Enter, Escape, and a sheet of keys."""
    paint(page)
    walk(page, "ArrowRight", "ArrowRight", "ArrowDown")
    expect(page.locator(".pixel h2")).to_have_text("Row 1, column 1")
    page.keyboard.press("Enter")
    expect(page.locator(".pixel .where")).to_contain_text("held")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Repaint from here")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_any_level_is_chosen_in_the_chart(page: Page, service: StudioService) -> None:
    """Not the likeliest few only: the chart is a slider."""
    model = service.models[DIGITS].model
    paint(page, seed=5)
    levels = model.to_levels(pixels(page)[None, ..., :1])[0]
    walk(page, "ArrowRight", "ArrowDown", "Enter")
    there = int(levels[0, 1, 0])
    chart = page.get_by_role("slider", name="Probabilities of 17 levels")
    expect(chart).to_have_attribute("aria-valuenow", str(there))
    chart.focus()
    page.keyboard.press("Home" if there else "End")
    level = 0 if there else 16
    expect(chart).to_have_attribute("aria-valuetext", re.compile(rf"Level {level}\b"))
    cost = counterfactual(ImageQuery.of(model, levels), {(1, 0): level}).bits_change
    expect(page.locator(".edit-cost")).to_contain_text(f"{abs(cost):.1f} bits {'less' if cost < 0 else 'more'}")
    page.keyboard.press("5")
    expect(page.locator(".legend")).to_contain_text("shift of distributions")
    page.keyboard.press("ArrowUp" if there else "ArrowDown")
    expect(chart).to_have_attribute("aria-valuenow", str(1 if there else 15))


def test_drawing_goes_along_and_takes_levels(page: Page) -> None:
    """Shift with an arrow draws on the way; I takes the level that is there."""
    page.keyboard.press("b")
    page.get_by_role("button", name="Level 9", exact=True).click()
    walk(page, "ArrowRight", "Enter", "Shift+ArrowRight", "Shift+ArrowRight", "ArrowRight", "Shift+ArrowDown")
    drawn = (pixels(page)[..., 3] == 255).nonzero()
    assert list(zip(*(axis.tolist() for axis in drawn), strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 3)]
    page.get_by_role("button", name="Level 2", exact=True).click()
    canvas(page).focus()
    page.keyboard.press("i")
    expect(page.get_by_role("button", name="Level 9", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_view_follows_the_cursor_and_canvases_take_turns(page: Page) -> None:
    """Zoomed in, the pixel that is chosen is in view; N and Shift+N go round."""
    paint(page)
    walk(page, "ArrowRight")
    for _ in range(4):
        page.keyboard.press("+")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
    expect(page.locator(".pixel h2")).to_have_text("Row 7, column 7")
    expect(page.locator(".canvas-view:not([hidden]) .mark.hover")).to_be_in_viewport(ratio=0.9)
    page.keyboard.press("0")
    paint(page, seed=4, count=4)
    for key, place in (("n", 1), ("n", 2), ("Shift+N", 1), ("Shift+N", 0), ("Shift+N", 3)):
        page.keyboard.press(key)
        expect(page.locator(".canvas-view:not(.hint-view)").nth(place)).to_have_class("canvas-view active")


def test_a_picture_is_painted_filled_and_saved_by_keys_alone(page: Page, tmp_path: Path) -> None:
    """The first key leads past the panels to the canvas; all that has the focus shows it, on the screen."""
    page.keyboard.press("Tab")
    skip = page.get_by_role("button", name="Skip to the canvas")
    expect(skip).to_be_focused()
    assert_focus_shows(page)
    page.keyboard.press("Enter")
    expect(canvas(page)).to_be_focused()
    assert_focus_shows(page)
    page.keyboard.press("p")
    wait_until_painted(page, 1)
    whole = pixels(page)
    page.keyboard.press("e")
    for key in ("ArrowRight", "Enter", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    hole = pixels(page)[..., 3] == 0
    assert hole.sum() >= 3
    page.keyboard.press("c")
    expect(page.locator(".candidates button").first).to_be_visible()
    np.testing.assert_array_equal(pixels(page)[~hole], whole[~hole])
    assert (pixels(page)[..., 3] == 255).all()
    button = page.get_by_role("button", name="PNG", exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        assert_focus_shows(page)
        if button.evaluate("el => el === document.activeElement"):
            break
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        np.testing.assert_array_equal(np.array(picture.convert("RGB")), pixels(page)[..., :3])


def assert_focus_shows(page: Page) -> None:
    """What has the focus has an outline, and is on the screen."""
    focused = page.locator(":focus")
    expect(focused).to_be_in_viewport()
    assert focused.evaluate("el => getComputedStyle(el).outlineStyle") == "solid"


def test_a_picture_is_opened(page: Page) -> None:
    """O is the button above the canvas. The dialog itself belongs to the system, so it is not opened."""
    page.evaluate("() => { HTMLInputElement.prototype.click = function () { window.wanted = this.accept; }; }")
    page.keyboard.press("o")
    assert "image/*" in page.evaluate("() => window.wanted")


def walk(page: Page, *keys: str) -> None:
    """Keys on the canvas; the first arrow brings the cursor to the first pixel."""
    canvas(page).focus()
    for key in keys:
        page.keyboard.press(key)
