"""Watch and ask: what is asked for is painted pixel by pixel, one or several; the hand can stop, step and go back."""

from __future__ import annotations

import math

import numpy as np
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    COLOURS,
    DIGITS,
    choose_model,
    count,
    grey,
    paint,
    paint_and_stop,
    pixels,
    pixels_of,
    wait_until_painted,
)


def test_paint_shows_the_images_of_sample(page: Page, service: StudioService) -> None:
    """Four canvases of a label and a seed are those of the command line, to the last level."""
    paint(page, seed=7, count=4, label="3")
    samples = pt.sample(service.models[DIGITS].model, 4, label="3", seed=7)
    expected = samples.levels
    expect(page.locator(".image-summary .numbers")).to_contain_text(f"{-float(samples.nats[0]) / math.log(2):.1f} bits")
    for place in range(4):
        shown = pixels(page, place)
        np.testing.assert_array_equal(shown[..., 0], grey(expected[place, 0]))
        assert (shown[..., 3] == 255).all()


def test_a_palette_is_shown_in_its_colours(page: Page, service: StudioService) -> None:
    """And what can be seen through lies over a checkerboard, so that it is not taken for unpainted."""
    choose_model(page, COLOURS)
    paint(page, seed=1)
    model = service.models[COLOURS].model
    levels = pt.sample(model, 1, seed=1).levels[0, 0]
    palette = np.array(model.image.palette)
    shown = pixels(page)
    assert shown.shape == (8, 8, 4)  # twice as fine as the image
    solid = (levels > 0).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(shown[solid], palette[levels].repeat(2, 0).repeat(2, 1)[solid])
    assert (shown[..., 3] == 255).all()


# press Paint, and Pause as soon as it is there: a click from outside may come when all is painted
PAINT_AND_PAUSE = """(paint) => new Promise((done) => {
  paint.click();
  const look = () => {
    const pause = document.querySelector(".player [aria-label='Pause (space)']:enabled");
    if (pause) done(pause.click());
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def test_the_hand_plays_pauses_steps_and_goes_back(page: Page) -> None:
    """Slower than it comes: the newest pixel's distribution goes along."""
    page.get_by_label("Speed", exact=True).select_option("16")
    page.get_by_role("button", name="Paint", exact=True).evaluate(PAINT_AND_PAUSE)
    expect(page.get_by_role("button", name="Play (space)")).to_be_visible()  # and with it the count of that moment
    expect(page.get_by_role("button", name="Manifest", exact=True)).to_be_enabled()  # all has arrived
    first, of = count(page)
    assert 0 <= first < of == 64
    for _ in range(3):
        page.keyboard.press(".")
    expect(page.locator(".player .count")).to_have_text(f"{first + 3} / 64")
    last = first + 2
    expect(page.locator(".pixel h2")).to_have_text(f"Row {last // 8}, column {last % 8}")
    expect(page.locator(".channel .chart").first).to_be_visible()
    assert (pixels(page)[..., 3] == 255).sum() == first + 3
    page.keyboard.press("Home")
    expect(page.locator(".player .count")).to_have_text("0 / 64")
    assert (pixels(page)[..., 3] == 0).all()
    page.get_by_label("Pixels painted").fill("40")
    expect(page.locator(".player .count")).to_have_text("40 / 64")
    assert (pixels(page)[..., 3] == 255).sum() == 40
    page.keyboard.press("End")
    wait_until_painted(page)


def test_stop_ends_the_work_and_keeps_what_is_there(page: Page, service: StudioService) -> None:
    """On the page and on the server; the model can then continue."""
    paint_and_stop(page, service)
    expect(page.get_by_role("button", name="Continue all 16")).to_be_visible()


def test_maps_lie_over_the_image_and_say_their_scale(page: Page) -> None:
    """Surprise and entropy come with the stream."""
    paint(page)
    for name in ("Entropy", "Surprise"):
        page.get_by_role("button", name=name).click()
        expect(page.locator("canvas.map").first).to_be_visible()
        expect(page.locator(".legend")).to_contain_text("bits")
        assert (pixels_of(page.locator("canvas.map").first)[..., 3] == 255).all()
    page.keyboard.press("1")
    expect(page.locator("canvas.map").first).to_be_hidden()


def press_paint(page: Page, images: int) -> None:
    """Paint, and wait for so many images in the gallery."""
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("button", name="Paint", exact=True).click()
    wait_until_painted(page, images)


def test_two_settings_make_a_grid(page: Page, service: StudioService) -> None:
    """Rows and columns with the same random numbers; each cell is the image of its two settings."""
    model = service.models[DIGITS].model
    page.get_by_label("Seed", exact=True).fill("5")
    page.get_by_role("combobox", name="Compare").select_option("temperature")
    page.get_by_label("Values of temperature").fill("0.5, 1")
    page.get_by_role("combobox", name="and, in columns").select_option("label")
    page.get_by_label("Names of labels").fill("3, 1, 7")
    press_paint(page, 6)
    assert page.locator(".canvases").evaluate("(el) => el.style.getPropertyValue('--columns')") == "3"
    expect(page.locator(".canvas-view:not([hidden]) .caption").nth(4)).to_contain_text("temperature 1 · 1")
    for place, (temperature, label) in enumerate((t, c) for t in (0.5, 1.0) for c in ("3", "1", "7")):
        expected = pt.sample(model, 1, label=label, temperature=temperature, seed=5).levels
        np.testing.assert_array_equal(pixels(page, place)[..., 0], grey(expected[0, 0]))


def test_a_wrong_value_is_said_and_nothing_is_lost(page: Page) -> None:
    """The canvases stay; what does not fit is named."""
    paint(page, seed=3)
    before = pixels(page)
    for by, field, value, sentence in (
        ("temperature", "Values of temperature", "1, abc", "“abc” is no temperature"),
        ("top_p", "Values of top-p", "0.5, 2", "“2” is no top-p"),
        ("guidance", "Values of guidance", "1 2 3 4 5 6 7 8 9", "9 values are more than 8"),
        ("label", "Names of labels", "3, ten", "There is no label “ten”"),
    ):
        page.get_by_role("combobox", name="Compare").select_option(by)
        page.get_by_label(field).fill(value)
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        np.testing.assert_array_equal(pixels(page), before)
