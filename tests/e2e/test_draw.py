"""Draw: pencil, eraser, ghosts, pictures that are dropped; other files."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from pointillist.studio import reproduce
from pointillist.studio.service import LIMITS, StudioService
from tests.e2e.helpers import (
    COLOURS,
    DIGITS,
    choose_file,
    choose_model,
    drag,
    grey,
    pixels,
    pixels_of,
    point,
    saved,
    wait_for_frame,
    wait_until_painted,
)


def test_the_pencil_draws_levels_and_undo_takes_them_back(page: Page) -> None:
    """On an empty canvas; a line between two places; Alt takes a level from the canvas."""
    page.keyboard.press("b")
    page.get_by_role("button", name="Level 9", exact=True).click()
    drag(page, (1, 1), (1, 6))
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
    choose_file(page, ("two.hex", b"102030\nf0e0d0\n"), "Palette …")
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


def draw(page: Page, row: int, size: tuple[int, int] = (8, 8)) -> None:
    """Draw a line with the pencil."""
    drag(page, (row, 1), (row, size[1] - 2), size=size)


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
    assert reproduce.reproduce(model, model.fingerprint, manifest, LIMITS).identical == [True]
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
