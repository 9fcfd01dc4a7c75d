"""Maps are shown and saved by their tiles."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import choose_model, paint, pixels, pixels_of, point, press_in_menu, saved, saved_atlas, serving
from tests.studio.helpers import TILES, mapper

NOTHING = "Nothing is painted yet: paint, draw or open an image first."
CHANGED = "There is no painting to show: the image was changed by hand since, or was never painted."
CODES = "A grid of codes without a tileset is not a picture: save it as a map, under More."
CHECK = np.array([[255, 206], [206, 255]]).repeat(3, 0).repeat(5, 1)[..., None]
"""The checkerboard under a tile of 6x10 pixels."""
SHOWN = np.where(TILES.tiles[..., 3:] > 0, TILES.tiles[..., :3], CHECK)
"""The tiles as the canvas shows them, `[k th tw 3]`."""


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """Maps of 5x7 cells, of 60x60 cells, and without a tileset: in place of the studio of the other tests."""
    without = mapper("pixelcnn")
    without.tileset = None
    with serving(StudioService([mapper("gated-pixelcnn"), mapper("gated-pixelcnn", 60, 60), without])) as server:
        yield server


def test_a_map_is_shown_and_saved_by_its_tiles(page: Page, studio: Server, tmp_path: Path) -> None:
    """On the canvas, among the levels and in the file; until then the button says why there is none."""
    button = page.get_by_role("button", name="PNG", exact=True)
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", NOTHING)
    paint(page, seed=2)
    levels = pt.sample(studio.service.models["gated-pixelcnn"].model, 1, seed=2).levels[0, 0]
    expected = SHOWN[levels].swapaxes(1, 2).reshape(5 * 6, 7 * 10, 3)
    np.testing.assert_array_equal(pixels(page)[..., :3], expected)
    with Image.open(saved(page, "PNG", tmp_path)) as exact:
        np.testing.assert_array_equal(np.asarray(exact), TILES.draw(levels))
        assert "pointillist-manifest" in exact.info
    page.keyboard.press("b")
    door = page.get_by_role("button", name="Level 3, door")
    np.testing.assert_array_equal(pixels_of(door.locator("canvas"))[..., :3], SHOWN[3])
    door.click()
    page.mouse.click(*point(page, 1, 2, (5, 7)))
    np.testing.assert_array_equal(pixels(page)[6:12, 20:30, :3], SHOWN[3])
    expect(page.get_by_role("button", name="GIF", exact=True)).to_have_attribute("title", CHANGED)


def test_codes_without_tiles_say_why_they_are_not_saved(page: Page) -> None:
    """The map for an editor is there instead."""
    choose_model(page, "pixelcnn")
    paint(page, seed=2)
    for name in ("PNG", "PNG large", "GIF"):
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", CODES)
    with page.expect_download() as found:
        press_in_menu(page, "Map as CSV")
    assert found.value.suggested_filename == "pixelcnn-seed-2-csv.zip"


def test_maps_are_saved_for_tiled_and_on_sheets_of_tiles(page: Page, studio: Server, tmp_path: Path) -> None:
    """The map and its tileset; a sheet and an atlas of tiles."""
    paint(page, seed=2, count=2)
    levels = pt.sample(studio.service.models["gated-pixelcnn"].model, 2, seed=2).levels[:, 0]
    with page.expect_download() as found:
        press_in_menu(page, "Map for Tiled")
    found.value.save_as(tmp_path / "map.zip")
    with zipfile.ZipFile(tmp_path / "map.zip") as archive:
        assert sorted(archive.namelist()) == ["map.tmj", "tileset.png"]
        cells = json.loads(archive.read("map.tmj"))["layers"][0]["data"]
    np.testing.assert_array_equal(np.reshape(cells, levels[0].shape) - 1, levels[0])
    atlas, places = saved_atlas(page, tmp_path)
    expected = [SHOWN[one].swapaxes(1, 2).reshape(5 * 6, 7 * 10, 3) for one in levels[::-1]]  # the newest first
    np.testing.assert_array_equal(atlas[..., :3], np.concatenate(expected, 1))
    assert [(one["x"], one["width"], one["height"]) for one in places] == [(0, 70, 30), (70, 70, 30)]


@pytest.mark.parametrize("place", ["map", "levels"])
def test_nothing_to_mend(page: Page, place: str) -> None:
    """By axe-core: with a map on the canvas, and in the dialog of levels."""
    pytest.importorskip("axe_playwright_python", reason="axe-core (the extra `e2e`) is not installed")
    from tests.e2e.test_accessibility import violations

    paint(page, seed=2)
    page.keyboard.press("b")
    page.mouse.move(*point(page, 1, 2, (5, 7)))
    if place == "levels":
        page.keyboard.press("m")
        page.mouse.down()
        page.mouse.move(*point(page, 3, 4, (5, 7)))
        page.mouse.up()
        page.get_by_role("button", name="Allow levels").click()
        expect(page.locator(".shade canvas.tile")).to_have_count(4)
    assert violations(page) == []
