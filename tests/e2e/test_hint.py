"""Hints that are drawn: each stroke paints, files become hints, undo; presets and examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from tests.e2e.helpers import OUTLINE, choose_model, opened, pixels_of, wait_for_frame, wait_until_painted
from tests.equality import equal


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


def test_a_picture_becomes_the_hint(page: Page, tmp_path: Path) -> None:
    """Black on white, which is inverted; the pad shows it before anything is painted."""
    choose_model(page, OUTLINE)
    page.get_by_label("Paint while I draw").uncheck()
    drawing = np.full((8, 8), 255, np.uint8)
    drawing[3, 1:6] = 0
    Image.fromarray(drawing).save(tmp_path / "drawing.png")
    with page.expect_file_chooser() as found:
        page.get_by_role("button", name="Picture", exact=True).click()
    found.value.set_files(tmp_path / "drawing.png")
    expect(page.get_by_role("alert")).to_contain_text("inverted")
    assert np.argwhere(lines(page)).tolist() == [[3, column] for column in range(1, 6)]


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


def test_example_hints_look_as_a_person_draws_them(browser: Browser, tmp_path: Path) -> None:
    """Black lines on white, as on the pad."""
    pt.export("outline-to-tile", html=tmp_path / "tiles.html")
    hints = pt.load("outline-to-tile").generation_config.hints
    assert hints
    with opened(browser, (tmp_path / "tiles.html").as_uri()) as page:
        for hint in hints:
            drawn = pixels_of(page.get_by_role("button", name=f"Example: {hint.name}").locator("canvas"))
            np.testing.assert_array_equal(drawn[..., 0], np.where(np.array(hint.levels) == 1, 0, 255))
