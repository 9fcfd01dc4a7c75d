"""Prompt: every condition has a field, hints are drawn, and models are compared from the same random numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    OUTLINE,
    choose_file,
    choose_model,
    grey,
    opened,
    paint,
    pixels,
    pixels_of,
    serving,
    wait_for_frame,
    wait_until_painted,
)
from tests.e2e.models import digits
from tests.equality import equal
from tests.studio.helpers import coded, numbered, upscaler


@pytest.fixture(scope="module")
def others() -> Iterator[Server]:
    """Two models of one kind of image; one conditioned on attributes, a vector, a small picture and words; one on
    numbers; one on codes."""
    with serving(StudioService([digits(), digits(), upscaler(), numbered(), coded()])) as server:
        yield server


def test_every_condition_has_a_field(browser: Browser, others: Server) -> None:
    """What is typed and chosen arrives as `sample` takes it."""
    small = np.array([[[0, 7], [3, 4]]])
    file = io.BytesIO()
    Image.fromarray(grey(small[0], 8)).save(file, "PNG")
    with opened(browser, others.url) as page:
        choose_model(page, "gated-pixelcnn-3")
        page.get_by_role("textbox", name="Text").fill("a red dragon")
        page.get_by_role("combobox", name="hair").select_option("blue")
        expect(page.get_by_role("textbox", name="Vector")).to_have_attribute("placeholder", "2 numbers")
        page.get_by_role("textbox", name="Vector").fill("0.5, -1")
        page.get_by_label("Paint while I draw").uncheck()
        choose_file(page, ("small.png", file.getvalue()), "Picture", exact=True)
        expect(page.locator(".prompt-panel")).to_contain_text("small.png")
        page.get_by_label("Guidance, as a number").fill("2")
        paint(page, seed=2)
        model = others.service.models["gated-pixelcnn-3"].model
        conditions = {"attributes": {"hair": "blue"}, "vector": [0.5, -1], "hint": small, "text": "a red dragon"}
        expected = pt.sample(model, 1, seed=2, guidance=2.0, **conditions).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))
        expect(page.locator(".words")).to_contain_text("“a red dragon”, blue, hint, vector")


def test_a_hint_of_numbers(browser: Browser, others: Server) -> None:
    """One for each channel, or all of them; what does not fit is said."""
    model = others.service.models["pixelcnn"].model
    everywhere = np.full((2, 4, 4), 0.5, np.float32)
    everywhere[1] = -1
    anywhere = np.random.default_rng(0).normal(size=(2, 4, 4))
    with opened(browser, others.url) as page:
        choose_model(page, "pixelcnn")
        field = page.get_by_role("textbox", name="Hint (numbers)")
        field.fill("0.5, -1, 3")
        expect(page.locator(".prompt-panel")).to_contain_text("expects 2, one for each channel, or 2 × 4 × 4")
        field.fill("0.5, -1")
        paint(page, seed=2)
        expected = pt.sample(model, 1, seed=2, hint=everywhere).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))
        field.fill(" ".join(map(str, anywhere.ravel())))
        paint(page, seed=2)
        expected = pt.sample(model, 1, seed=2, hint=anywhere.astype(np.float32)).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))


def test_models_side_by_side(browser: Browser, others: Server) -> None:
    """Each paints what it would alone; one that paints other images is not among them."""
    with opened(browser, others.url) as page:
        page.get_by_role("combobox", name="Compare").select_option("model")
        page.get_by_label("Seed", exact=True).fill("5")
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        page.get_by_role("button", name="Paint", exact=True).click()
        wait_until_painted(page, images=2)
        shown = [pixels(page, place)[..., 0] for place in range(2)]
        for place, name in enumerate(("gated-pixelcnn", "gated-pixelcnn-2")):
            expected = pt.sample(others.service.models[name].model, 1, seed=5).levels
            np.testing.assert_array_equal(shown[place], grey(expected[0, 0]))
        assert (shown[0] != shown[1]).any()
        expect(page.locator(".canvas-view:not([hidden])")).to_have_count(2)


def pad_point(page: Page, row: int, column: int) -> None:
    """Move the pointer over a pixel of the pad."""
    wait_for_frame(page)
    box = page.locator("canvas.hint-image").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * (column + 0.5) / 8, box["y"] + box["height"] * (row + 0.5) / 8)


def stroke(page: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Draw on the pad."""
    pad_point(page, *start)
    page.mouse.down()
    pad_point(page, *end)
    page.mouse.up()


def lines(page: Page) -> np.ndarray:
    """What is drawn on the pad: 1 where there is a line, which is shown black on white."""
    found: np.ndarray = (pixels_of(page.locator("canvas.hint-image"))[..., 0] == 0).astype(int)
    return found


def shown(page: Page) -> np.ndarray:
    """The colours of the first canvas, without the checkerboard."""
    return pixels_of(page.locator(".canvas-view:not([hidden]) canvas.image").first)


def test_a_drawn_hint_is_painted_at_once(page: Page, service: StudioService) -> None:
    """A rectangle on the pad is the hint; the image is that of `sample`; undo takes hint and image back."""
    model = service.models[OUTLINE].model
    choose_model(page, OUTLINE)
    wait_until_painted(page, 1)  # the picture with which the model opens
    page.get_by_role("button", name="model", exact=True).click()
    page.get_by_label("Seed", exact=True).fill("5")
    page.get_by_label("Text", exact=True).fill("")  # the hint alone decides
    page.get_by_role("button", name="Rectangle (U)").click()
    stroke(page, (1, 1), (5, 6))
    expected = np.zeros((8, 8), int)
    expected[1:6, 1:7] = 1
    expected[2:5, 2:6] = 0
    np.testing.assert_array_equal(lines(page), expected)
    wait_until_painted(page, 2)
    how = {"seed": 5, "guidance": 1.0, "temperature": 1.0}
    levels = pt.sample(model, 1, hint=expected[None, None], **how).levels
    assert not equal(levels, pt.sample(model, 1, **how).levels)
    opaque = levels[0, 0] > 0
    picture = model.image.to_images(levels)[0]
    np.testing.assert_array_equal(shown(page)[::2, ::2, :3][opaque], picture[..., :3][opaque])
    page.get_by_role("button", name="Ellipse (J)").click()
    stroke(page, (2, 2), (4, 4))
    wait_until_painted(page, 2)  # in place of the one before
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(lines(page), expected)
    page.keyboard.press("Control+z")
    assert lines(page).sum() == 0


def test_the_pad_is_drawn_on_with_the_keyboard(page: Page) -> None:
    """Arrows and Enter; without painting if that is switched off."""
    choose_model(page, OUTLINE)
    wait_until_painted(page, 1)  # the picture with which the model opens
    page.get_by_label("Paint while I draw").uncheck()
    page.locator("canvas.hint-image").focus()
    for key in ("ArrowDown", "Enter", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert np.argwhere(lines(page)).tolist() == [[1, 0], [1, 1]]
    expect(page.locator(".thumbnails canvas")).to_have_count(1)
    page.get_by_role("button", name="None", exact=True).click()
    assert lines(page).sum() == 0


def test_presets_and_examples_are_a_click(page: Page) -> None:
    """The settings that suit the model come first; an example is painted at once; Reset empties the panel."""
    choose_model(page, OUTLINE)
    wait_until_painted(page, 1)  # the picture with which the model opens
    expect(page.get_by_label("Text", exact=True)).to_have_value("red heart")  # the first example: Paint shows it
    presets = page.get_by_role("group", name="Presets")
    guidance = page.get_by_label("Guidance, as a number")
    expect(presets.get_by_role("button", name="as shipped")).to_have_attribute("aria-pressed", "true")
    expect(guidance).to_have_value("2")
    presets.get_by_role("button", name="model", exact=True).click()
    expect(guidance).to_have_value("1")
    expect(presets.get_by_role("button", name="model", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("group", name="Example labels").get_by_role("button", name="style 3").click()
    wait_until_painted(page, 2)
    page.get_by_role("group", name="Example prompts").get_by_role("button", name="green apple").click()
    wait_until_painted(page, 3)
    expect(page.locator(".words")).to_contain_text("style 3, “green apple”")
    presets.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("")
    expect(guidance).to_have_value("2")
