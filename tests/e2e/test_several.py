"""Several at once: grids of two settings, prompts, variations of an image."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from tests.e2e.helpers import DIGITS, OUTLINE, choose_model, grey, paint, pixels, wait_for_frame, wait_until_painted


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


def test_several_prompts_are_painted_side_by_side(page: Page) -> None:
    """With a semicolon between them."""
    choose_model(page, OUTLINE)
    wait_until_painted(page, 1)  # the picture with which the model opens
    page.get_by_role("combobox", name="Compare").select_option("text")
    page.get_by_label("Prompts, with a semicolon between them").fill("red heart; green apple;")
    press_paint(page, 3)
    expect(page.locator(".canvas-view:not(.hint-view):not([hidden]) .caption").nth(1)).to_contain_text("green apple")


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


def test_variations_of_an_image(page: Page, service: StudioService) -> None:
    """Strength 0 is the image itself, also when it was drawn: its random numbers are recovered."""
    paint(page, seed=3)
    page.keyboard.press("b")
    page.get_by_role("button", name="Level 9", exact=True).click()
    page.locator(".canvas-view:not([hidden]) canvas.image").first.focus()
    for key in ("ArrowRight", "Enter"):
        page.keyboard.press(key)
    drawn = pixels(page)
    page.get_by_text("Variations of the canvas").click()
    page.get_by_label("Strength", exact=True).fill("0")
    page.get_by_role("button", name="Paint variations").click()
    wait_until_painted(page, 3)  # with the drawing
    np.testing.assert_array_equal(pixels(page), drawn)
    page.get_by_label("Strength", exact=True).fill("0.2")
    page.get_by_role("group", name="Canvases").get_by_role("radio", name="4", exact=True).check()
    page.get_by_role("button", name="Paint variations").click()
    wait_until_painted(page, 7)
    wait_for_frame(page)
    near = [(pixels(page, i)[..., 0] != drawn[..., 0]).mean() for i in range(4)]
    other = grey(pt.sample(service.models[DIGITS].model, 1, seed=77).levels[0, 0])
    assert np.mean(near) < (other != drawn[..., 0]).mean()
    expect(page.locator(".words")).to_contain_text("variation of strength 0.2")
