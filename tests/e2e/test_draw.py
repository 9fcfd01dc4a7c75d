"""Draw: pencil, eraser, pictures that are dropped; other files."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from tests.e2e.helpers import COLOURS, RGB, choose_model, grey, pixels, point, saved, wait_until_painted


def test_the_pencil_draws_levels_and_undo_takes_them_back(page: Page) -> None:
    """On an empty canvas; a line between two places; Alt takes a level from the canvas."""
    page.keyboard.press("b")
    page.get_by_role("button", name="Level 9", exact=True).click()
    point(page, 1, 1)
    page.mouse.down()
    point(page, 1, 6)
    page.mouse.up()
    drawn = pixels(page)
    assert (drawn[1, 1:7, 0] == grey(np.array(9))).all()
    assert (drawn[..., 3] == 255).sum() == 6
    page.get_by_role("button", name="Level 2", exact=True).click()
    page.mouse.click(*point(page, 5, 5))
    assert (pixels(page)[..., 3] == 255).sum() == 7
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert (pixels(page)[..., 3] == 0).all()
    page.keyboard.press("Control+y")
    np.testing.assert_array_equal(pixels(page), drawn)
    page.keyboard.down("Alt")
    page.mouse.click(*point(page, 1, 2))
    page.keyboard.up("Alt")
    expect(page.get_by_role("button", name="Level 9", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_drawn_image_is_filled(page: Page, service: StudioService) -> None:
    """With the keyboard alone: two pixels, then the model does the rest, and the colours are those that were drawn."""
    choose_model(page, RGB)
    page.keyboard.press("b")
    for channel, level in enumerate((3, 0, 1)):
        page.locator(".ink input[type=range]").nth(channel).fill(str(level))
    page.locator(".canvas-view:not([hidden]) canvas.image").first.focus()
    for key in ("ArrowRight", "Enter", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.get_by_label("Seed", exact=True).fill("2")
    page.get_by_role("button", name="Fill", exact=True).click()
    expect(page.locator(".fill-panel .note")).to_contain_text("Exact: the hole comes last in the order raster")
    model = service.models[RGB].model
    levels, known = np.zeros((3, 4, 5), np.int64), np.zeros((4, 5), bool)
    known[0, :2] = True
    levels[:, 0, :2] = np.array([3, 0, 1])[:, None]
    result = pt.inpaint(model, levels, known, 8, seed=2)
    expected = result.levels[int(result.numbers.argmin())]  # the first that was drawn
    np.testing.assert_array_equal(pixels(page)[..., :3], grey(expected, 4).transpose(1, 2, 0))


def test_a_picture_is_dropped(page: Page) -> None:
    """One of the right size is there at once, with its bits, and can be gone through."""
    levels = np.arange(64).reshape(8, 8) % 17
    drop(page, grey(levels), "eight.png")
    expect(page.locator(".player .count")).to_have_text("64 / 64")
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(levels))
    page.keyboard.press("3")
    expect(page.locator("canvas.map").first).to_be_visible()


def test_a_picture_of_another_size_is_offered_to_be_resized(page: Page) -> None:
    """The page says both sizes and how it could be done; cancelling leaves the canvas as it was."""
    wide = np.tile(np.repeat(np.array([0, 255], np.uint8), 10), (10, 1))  # 20 x 10
    drop(page, wide, "wide.png")
    dialog = page.get_by_role("dialog", name="The picture has another size")
    expect(dialog).to_contain_text("20 × 10 pixels")
    expect(dialog).to_contain_text("8 × 8")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".words")).to_contain_text("Nothing is painted yet")
    drop(page, wide, "wide.png")
    dialog.get_by_label("stretch").check()
    dialog.get_by_label("nearest").check()
    dialog.get_by_role("button", name="Resize").click()
    expect(page.locator(".notice")).to_contain_text("resized to 8x8")
    np.testing.assert_array_equal(pixels(page)[..., 0], np.tile(np.repeat([0, 255], 4), (8, 1)))


def test_a_picture_may_keep_its_size(page: Page, service: StudioService) -> None:
    """Where the model paints any."""
    drop(page, np.full((6, 12), 255, np.uint8), "small.png")
    page.get_by_role("button", name="Keep its size").click()
    expect(page.locator(".player .count")).to_have_text("72 / 72")
    assert pixels(page).shape == (6, 12, 4)


def test_other_files_are_rejected_in_a_sentence(page: Page) -> None:
    """And the message can be closed."""
    dropped(page, b"words", "notes.txt", "text/plain")
    expect(page.get_by_role("alert")).to_contain_text("not a readable PNG, JPEG, GIF, WebP, BMP or TIFF")
    page.get_by_role("button", name="Close the message").click()
    expect(page.get_by_role("alert")).to_be_hidden()


def drop(page: Page, array: np.ndarray, name: str) -> None:
    """A picture onto the canvas."""
    out = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(out, "PNG")
    dropped(page, out.getvalue(), name, "image/png")


def dropped(page: Page, data: bytes, name: str, kind: str) -> None:
    """A file onto the canvas."""
    page.locator(".canvas-grid").evaluate(
        """(stage, [text, name, type]) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], name, { type }));
          stage.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )


def test_images_are_shown_and_saved_in_other_colours(page: Page, tmp_path: Path) -> None:
    """A palette from a file: each colour becomes the nearest of it, on the canvas and in the PNG; undo and back."""
    choose_model(page, COLOURS)
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("button", name="Paint", exact=True).click()
    wait_until_painted(page, 1)
    before = pixels(page)
    page.keyboard.press("b")
    (tmp_path / "two.hex").write_text("102030\nf0e0d0\n")
    with page.expect_file_chooser() as found:
        page.get_by_role("button", name="Palette …").click()
    found.value.set_files(tmp_path / "two.hex")
    expect(page.get_by_role("button", name="Own colours")).to_be_visible()
    shown = pixels(page)
    checks = {(255, 255, 255), (206, 206, 206)}  # under transparent pixels
    found_colours = {tuple(colour) for colour in shown.reshape(-1, 4)[:, :3].tolist()}
    assert found_colours - checks <= {(16, 32, 48), (240, 224, 208)}
    with Image.open(saved(page, "PNG", tmp_path)) as picture:
        exact = np.array(picture.convert("RGBA"))
    opaque = exact[..., 3] == 255
    np.testing.assert_array_equal(exact[..., :3][opaque], shown[::2, ::2, :3][opaque])
    page.get_by_role("button", name="Own colours").click()
    np.testing.assert_array_equal(pixels(page), before)
