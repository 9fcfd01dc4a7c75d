"""The keyboard does what the pointer does; fingers and the wheel of a touchpad zoom and move the canvas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, expect

from pointillist.analysis import ImageQuery, counterfactual
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import DIGITS, canvas, opened, paint, pixels, wait_for_frame, wait_until_painted


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


def walk(page: Page, *keys: str) -> None:
    """Keys on the canvas; the first arrow brings the cursor to the first pixel."""
    canvas(page).focus()
    for key in keys:
        page.keyboard.press(key)


ZOOM = 0.03
"""Relative: a site has a whole number of screen pixels after a zoom."""
SHARE = 0.01
"""Share of the width of the canvas, some 300 pixels, that rounding to whole pixels moves a point by."""
PIXELS = 2
"""Both ends of a movement are rounded to whole pixels."""

Point = tuple[float, float]


class Fingers:
    """Touches of a screen, through Chromium's own protocol."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def __call__(self, kind: str, *points: Point) -> None:
        """`touchStart`, `touchMove` with all fingers that are down, `touchEnd` with those that stay."""
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


@pytest.fixture
def phone(browser: Browser, studio: Server) -> Iterator[Page]:
    """A screen that is touched, with an image."""
    with opened(browser, studio.url, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        paint(page, seed=3)
        page.evaluate("() => window.scrollTo(0, 0)")
        yield page


def test_two_fingers_zoom_and_move(phone: Page) -> None:
    """What is between them stays between them; no pixel is held, and the page around it stays as it is."""
    touch = Fingers(phone)
    before = place(phone)
    x, y = before["x"] + 0.7 * before["width"], before["y"] + 0.3 * before["height"]
    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for spread in (30, 45, 60):
        touch("touchMove", (x - spread, y), (x + spread, y))
    zoomed = place(phone)
    assert zoomed["width"] == pytest.approx(3 * before["width"], rel=ZOOM)
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(0.7, abs=SHARE)
    assert (y - zoomed["y"]) / zoomed["height"] == pytest.approx(0.3, abs=SHARE)
    for step in (10, 20, 30):
        touch("touchMove", (x - 60 - step, y + step), (x + 60 - step, y + step))
    moved = place(phone)
    assert moved["width"] == zoomed["width"]
    assert moved["x"] - zoomed["x"] == pytest.approx(-30, abs=PIXELS)
    assert moved["y"] - zoomed["y"] == pytest.approx(30, abs=PIXELS)
    touch("touchEnd", (x - 90, y + 30))
    touch("touchEnd")
    expect(phone.locator(".mark.held")).to_be_hidden()
    assert phone.evaluate("() => [window.scrollY, visualViewport.scale]") == [0, 1]
    phone.get_by_role("button", name="Fit (0)").click()
    assert place(phone) == before


def test_a_second_finger_takes_the_stroke_back(phone: Page) -> None:
    """And undo does not know of it; afterwards one finger draws again."""
    touch = Fingers(phone)
    phone.get_by_role("button", name="Eraser").click()
    whole = pixels(phone)
    box = place(phone)
    x, y, step = box["x"] + box["width"] / 16, box["y"] + box["height"] / 16, box["width"] / 8
    touch("touchStart", (x, y))
    touch("touchMove", (x + step, y))
    assert (pixels(phone)[0, :2, 3] == 0).all()
    touch("touchStart", (x + step, y), (x + 3 * step, y))
    np.testing.assert_array_equal(pixels(phone), whole)
    touch("touchEnd", (x + step, y))
    touch("touchMove", (x + 2 * step, y))
    touch("touchEnd")
    np.testing.assert_array_equal(pixels(phone), whole)
    touch("touchStart", (x, y))
    touch("touchEnd")
    assert (pixels(phone)[..., 3] == 0).sum() == 1
    phone.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(pixels(phone), whole)


def test_a_touch_holds_a_pixel(phone: Page) -> None:
    """One finger is a click."""
    box = place(phone)
    phone.touchscreen.tap(box["x"] + box["width"] * 4.5 / 8, box["y"] + box["height"] * 2.5 / 8)
    expect(phone.locator(".pixel h2")).to_have_text("Row 2, column 4")
    expect(phone.get_by_role("button", name="Repaint from here")).to_be_visible()


def test_the_wheel_with_control_zooms_about_the_pointer(page: Page) -> None:
    """As browsers tell of a touchpad; the buttons zoom about the middle."""
    paint(page, seed=3)
    before = place(page)
    x, y = before["x"] + 0.2 * before["width"], before["y"] + 0.8 * before["height"]
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)  # so far that the canvas is larger than its viewport, and can scroll
    page.keyboard.up("Control")
    zoomed = place(page)
    assert zoomed["width"] == pytest.approx(np.e**2 * before["width"], rel=ZOOM)
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(0.2, abs=SHARE)
    assert (y - zoomed["y"]) / zoomed["height"] == pytest.approx(0.8, abs=SHARE)
    page.keyboard.press("0")
    assert place(page) == before
    page.keyboard.press("+")
    larger = place(page)
    assert larger["width"] > 1.4 * before["width"]
    assert larger["x"] + larger["width"] / 2 == pytest.approx(before["x"] + before["width"] / 2, abs=PIXELS)


def place(page: Page) -> FloatRect:
    """Where the canvas is, once the page has had a frame for it."""
    wait_for_frame(page)
    box = canvas(page).bounding_box()
    assert box is not None
    return box
