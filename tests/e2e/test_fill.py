"""Fill: erase or select, several candidates, one applied, undo; continue what was stopped."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.reproduce import read_manifest, reproduce
from pointillist.studio.service import LIMITS, StudioService
from tests.e2e.helpers import (
    COLOURS,
    DIGITS,
    RGB,
    at_work,
    choose_file,
    choose_model,
    drag,
    grey,
    paint,
    paint_and_stop,
    paintings_wait,
    pixels,
    saved,
    stop,
    wait_for_frame,
    wait_until_painted,
)


def fill(page: Page) -> None:
    """Press the button and wait for the candidates."""
    page.get_by_role("button", name="Fill", exact=True).click()
    expect(page.locator(".fill-panel")).to_be_visible()
    wait_for_frame(page)


def test_erase_and_fill(page: Page, service: StudioService) -> None:
    """The candidates are those of `inpaint` as drawn, the first applied; another is chosen; undo goes back."""
    model = service.models[DIGITS].model
    paint(page, seed=4)
    page.keyboard.press("e")
    page.get_by_label("Size of the brush").fill("3")
    drag(page, (3, 2), (3, 5))
    known = np.ones((8, 8), bool)
    known[2:5, 1:7] = False
    hole = pixels(page)
    np.testing.assert_array_equal(hole[..., 3] == 255, known)
    page.get_by_label("Seed", exact=True).fill("6")
    fill(page)
    before = pt.sample(model, 1, seed=4).levels[0]
    expected = pt.inpaint(model, before, known, 8, seed=6)
    drawn = np.argsort(expected.numbers)  # the first that was drawn is applied, not the likeliest
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected.levels[drawn[0], 0]))
    candidates = page.get_by_role("radiogroup", name="Candidates").get_by_role("radio")
    expect(candidates).to_have_count(8)
    expect(page.locator(".fill-panel .note")).to_contain_text("By Sequential Monte Carlo: what follows the hole counts")
    candidates.nth(5).click()
    expect(candidates.nth(5)).to_have_attribute("aria-checked", "true")
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected.levels[drawn[5], 0]))
    expect(page.locator(".thumbnails canvas")).to_have_count(2)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(pixels(page), hole)
    expect(page.locator(".fill-panel")).to_be_hidden()


def test_a_selection_is_filled_and_filled_again(page: Page, service: StudioService) -> None:
    """Only the selected pixels change; the model says what it ignores where it is asked to draw in order."""
    paint(page, seed=4)
    before = pixels(page)
    page.keyboard.press("m")
    drag(page, (2, 2), (5, 4))
    expect(page.locator(".frame .selection").first).to_be_visible()
    fill(page)
    inside = np.zeros((8, 8), bool)
    inside[2:6, 2:5] = True
    assert (pixels(page)[~inside] == before[~inside]).all()
    first = page.locator(".words").inner_text()
    page.get_by_label("What counts when a hole is filled").select_option("sequential")
    page.get_by_role("button", name="Fill again").click()
    expect(page.locator(".fill-panel .note")).to_contain_text("ignoring 34 known pixels that come after the hole")
    assert (pixels(page)[~inside] == before[~inside]).all()
    assert page.locator(".words").inner_text() != first
    page.get_by_role("button", name="Undo", exact=True).click()
    np.testing.assert_array_equal(pixels(page), before)


def test_only_allowed_levels_are_painted(page: Page) -> None:
    """In the selection; elsewhere all of them."""
    choose_model(page, COLOURS)
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("button", name="Paint", exact=True).click()
    wait_until_painted(page, 1)
    page.keyboard.press("m")
    drag(page, (0, 0), (1, 3), size=(4, 4))
    page.get_by_role("button", name="Allow levels …").click()
    dialog = page.get_by_role("dialog", name="Levels allowed in the selection")
    dialog.get_by_role("checkbox", name="#78").check()
    dialog.get_by_role("button", name="Allow only these").click()
    expect(page.locator(".options")).to_contain_text("1 levels in 8 pixels")
    fill(page)
    shown = pixels(page)
    assert (shown[:4, :, :3] == shown[0, 0, :3]).all()  # two squares of the checkerboard for each pixel


def test_a_canvas_is_extended(page: Page, service: StudioService) -> None:
    """What is added is a hole; the model fills it, and the picture is shown as a tile."""
    choose_model(page, RGB)
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("button", name="Paint", exact=True).click()
    wait_until_painted(page, 1)
    page.get_by_role("button", name="Extend the canvas").click()
    page.get_by_role("dialog").get_by_label("Right").fill("3")
    page.get_by_role("dialog").get_by_role("button", name="Extend", exact=True).click()
    assert pixels(page).shape == (4, 8, 4)
    expect(page.locator(".frame:not(.pad)").first).to_have_class(re.compile("hole"))
    fill(page)
    assert (pixels(page)[..., 3] == 255).all()
    page.keyboard.press("t")
    tiles = page.locator(".frame:not(.pad) canvas.tiles").first
    expect(tiles).to_be_visible()
    assert tiles.evaluate("(el) => [el.width, el.height]") == [24, 12]


def test_every_stopped_canvas_goes_on(page: Page, service: StudioService) -> None:
    """None is lost, and each becomes what it would have become; undo takes it back."""
    paint_and_stop(page, service)
    stopped = pixels(page, 3)
    with paintings_wait():
        page.get_by_role("button", name="Continue all 16").click()
        at_work(page, service)
        stop(page, service)
    expect(page.locator(".canvas-view:not([hidden])")).to_have_count(16)
    known = stopped[..., 3] == 255
    np.testing.assert_array_equal(pixels(page, 3)[known], stopped[known])
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(pixels(page, 3), stopped)


def test_paint_completes_what_is_drawn(page: Page, service: StudioService, tmp_path: Path) -> None:
    """The stroke is kept to the bit; the file can be painted again; New empties, and keeps a drawing in the gallery."""
    page.keyboard.press("b")
    drag(page, (2, 1), (2, 6))
    stroke = pixels(page)[..., 3] == 255
    assert stroke.sum() == 6
    expect(page.locator(".go .note")).to_have_text("Paint completes what is on the canvas.")
    page.get_by_role("button", name="New", exact=True).click()
    assert (pixels(page)[..., 3] == 0).all()
    expect(page.locator(".thumbnails .drawing")).to_have_count(1)
    page.keyboard.press("Control+z")
    page.get_by_label("Seed", exact=True).fill("6")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator(".fill-panel")).to_be_visible()
    wait_for_frame(page)
    painted = pixels(page)
    assert (painted[..., 3] == 255).all()
    assert (painted[stroke][:, 0] == 255).all()
    expect(page.get_by_role("button", name="GIF", exact=True)).to_be_enabled()
    expect(page.locator(".image-summary")).to_contain_text("Where the bits go (the 58 pixels painted last)")
    page.get_by_role("button", name="Differences").click()
    expect(page.locator(".legend")).to_contain_text("chance that two candidates differ")
    path = saved(page, "PNG", tmp_path)
    entry = service.models[DIGITS]
    assert all(reproduce(entry.model, entry.sha256, read_manifest(path), LIMITS).identical)
    before = page.locator(".thumbnails canvas").count()
    choose_file(page, path)
    expect(page.get_by_role("alert")).to_contain_text("Identical to the bit")
    np.testing.assert_array_equal(pixels(page), painted)
    assert page.locator(".thumbnails canvas").count() == before
    again = saved(page, "PNG", tmp_path)
    assert read_manifest(again) == read_manifest(path)
