"""Fingers, and the wheel of a touchpad: two of them zoom and move the canvas, and draw nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from pointillist.studio.http.server import Server
from tests.e2e.helpers import canvas, opened, paint, pixels, wait_for_frame

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
