"""Endless maps: one walks, changes a cell, and finds it in the map again. Seams, candidates, the pad."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import choose_file, choose_model, kept, opened, serving, wait_for_frame

SHOWN = "row {row}, column {column}"
Edits = dict[tuple[int, int], tuple[int, bool]]
"""Level of each changed cell, and whether it was drawn by hand."""


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """Bundled models of maps and of digits."""
    with serving(StudioService(["dungeons", "digits"])) as server:
        yield server


def test_an_endless_map_is_walked_and_changed(page: Page) -> None:
    """By dragging and by keys; what is changed is there after a reload."""
    choose_model(page, "dungeons")
    page.get_by_role("button", name="Endless map").click()
    place, status = page.locator("canvas.world"), page.locator(".world-page").get_by_role("status").first
    expect(status).to_have_text(SHOWN.format(row=0, column=0))
    page.keyboard.press("ArrowDown")
    expect(status).to_contain_text(SHOWN.format(row=4, column=0))
    box = place.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - 160, middle[1], steps=4)
    page.mouse.up()
    expect(status).to_contain_text(SHOWN.format(row=4, column=10))
    expect(status).to_have_text(SHOWN.format(row=4, column=10))
    note = page.locator(".world-page .note")
    page.get_by_role("button", name="Change here").click()
    page.get_by_role("dialog", name="Endless map").get_by_role("button", name="Level 1,").click()
    place.focus()
    page.keyboard.press("Space")
    expect(note).to_contain_text("around it healed")
    count = re.search(r"(\d+) cells? w\w+ changed", note.inner_text())
    assert count is not None
    page.get_by_role("button", name="Close", exact=True).click()
    kept(page)
    page.reload()
    page.get_by_role("button", name="Endless map").click()
    expect(note).to_contain_text(count[0])


def test_an_endless_map_obeys_rules_and_is_in_a_project(page: Page, studio: Server, tmp_path: Path) -> None:
    """Rules are those of a world; a project takes the changed cells elsewhere."""
    choose_model(page, "dungeons")
    page.get_by_role("button", name="Endless map").click()
    page.get_by_label("Neighbours as in training").check()
    note, status = (page.locator(".world-page").get_by_role("status").nth(i) for i in (1, 0))
    expect(note).to_contain_text("--rules FILE")
    expect(status).to_have_text(SHOWN.format(row=0, column=0))
    rows, columns, levels = tiles_in_view(page, tmp_path)
    np.testing.assert_array_equal(
        levels, pt.World("dungeons", 7, {"adjacency": "observed"}).tiles(rows, columns, *levels.shape)
    )
    page.get_by_role("button", name="Close", exact=True).click()
    project = {"format": "pointillist-project", "version": "1", "images": [], "maps": []}
    (sha256,) = (
        info.details.sha256 for info in studio.service.models.infos() if info.details and info.id == "dungeons"
    )
    project["maps"] = [
        {"model": {"name": "dungeons", "sha256": sha256}, "seed": 7, "cells": "0.0.1_-40.3.2.h"},
        {"model": {"name": "other", "sha256": "0" * 64}, "seed": 7, "cells": "0.0.1"},
    ]
    path = tmp_path / "project.json"
    path.write_text(json.dumps(project))
    choose_file(page, path)
    expect(page.get_by_role("alert")).to_contain_text("2 cells of endless maps were changed")
    expect(page.get_by_role("alert")).to_contain_text("1 were left out: other is not open here")
    page.get_by_role("button", name="Gallery", exact=True).click()
    with page.expect_download() as found:
        page.get_by_role("dialog", name="Gallery").get_by_role("button", name="Project", exact=True).click()
    found.value.save_as(path)
    assert json.loads(path.read_text())["maps"] == project["maps"][:1]


def edits_of(page: Page) -> Edits:
    """Return the changed cells of the address."""
    packed = parse_qs(urlparse(page.url).fragment).get("edits", [""])[0]
    cells = (cell.split(".") for cell in packed.split("_") if cell)
    return {(int(row), int(column)): (int(level), hand == ["h"]) for row, column, level, *hand in cells}


CELL, NEAR = 16, 3  # screen pixels of a cell; cells around a stroke that heal


@pytest.mark.parametrize("where", ["studio", "page"])
def test_one_draws_in_the_map_and_the_rest_heals(browser: Browser, studio: Server, tmp_path: Path, where: str) -> None:
    """The cells around a stroke are those of `inpaint`, given the rest of a window; nothing else changes, and the link
    keeps it. The same stroke gives the same map; undo takes both back."""
    pt.export("dungeons", html=tmp_path / "dungeons.html")
    address = studio.url if where == "studio" else (tmp_path / "dungeons.html").as_uri()
    stroke = [(-2, column) for column in range(-3, 3)]
    expected = healed(pt.load("dungeons"), stroke)
    with opened(browser, f"{address}#model=dungeons&world=7") as page:
        dialog = page.get_by_role("dialog", name="Endless map")
        place, note = dialog.get_by_role("status").nth(0), dialog.get_by_role("status").nth(1)
        expect(place).to_have_text(SHOWN.format(row=0, column=0))  # all parts are there
        dialog.get_by_role("button", name="Change here").click()
        dialog.get_by_role("button", name="Level 1,").click()
        for _ in range(2):
            wait_for_frame(page)
            box = dialog.locator("canvas.world").bounding_box()
            assert box is not None
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.mouse.move(x - 2.5 * CELL, y - 1.5 * CELL)
            page.mouse.down()
            page.mouse.move(x + 2.5 * CELL, y - 1.5 * CELL, steps=3)
            page.mouse.up()
            expect(note).to_contain_text("around it healed")
            assert edits_of(page) == expected
            link = page.url.partition("#")[2]
            dialog.get_by_role("button", name="Undo").click()
            expect(note).not_to_contain_text("changed")
            assert edits_of(page) == {}
        dialog.locator("canvas.world").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press(" ")
        expect(note).to_contain_text("around it healed")
        assert edits_of(page) == healed(pt.load("dungeons"), [(1, 0)])
        page.keyboard.press("Control+z")
        expect(note).not_to_contain_text("changed")
        dialog.get_by_role("button", name="Walk").click()  # who walks does not draw
        expect(dialog.get_by_role("group", name="Cells to draw")).to_be_hidden()
    with opened(browser, f"{address}#{link}") as page:
        dialog = page.get_by_role("dialog", name="Endless map")
        place, note = dialog.get_by_role("status").nth(0), dialog.get_by_role("status").nth(1)
        expect(note).to_contain_text(f"{len(expected)} cells were changed")
        assert edits_of(page) == expected
        dialog.get_by_role("button", name="Change here").click()
        dialog.get_by_role("button", name="Level 1,").click()
        dialog.locator("canvas.world").focus()
        page.keyboard.press(" ")
        expect(note).to_contain_text("around it healed")
        edits = edits_of(page)
        (dot,) = (cell for cell, (_, by_hand) in edits.items() if by_hand and cell not in stroke)
        assert edits == healed(pt.load("dungeons"), [dot], expected)  # what was drawn by hand before does not heal
        healing = {cell: (level, False) for cell, (level, _) in expected.items()}
        assert edits != healed(pt.load("dungeons"), [dot], healing)


def healed(model: pt.PixelModel, stroke: list[tuple[int, int]], edits: Edits | None = None) -> Edits:
    """Return what is changed after a stroke of walls: the cells around it, and not drawn by hand, are drawn again given
    a window around its first cell."""
    top, left = stroke[0][0] - 16, stroke[0][1] - 16
    drawn = pt.World("dungeons", seed=7).tiles(top, left, 32, 32).astype(np.int64)
    before, known, after = drawn.copy(), np.ones((32, 32), bool), {**(edits or {}), **dict.fromkeys(stroke, (1, True))}
    for row, column in stroke:
        known[row - NEAR - top : row + NEAR + 1 - top, column - NEAR - left : column + NEAR + 1 - left] = False
    for (row, column), (level, by_hand) in after.items():
        before[row - top, column - left] = level
        known[row - top, column - left] |= by_hand
    filled = pt.inpaint(model, before[None], known, 1, label="window", seed=7).levels[0, 0]
    for row, column in np.argwhere(filled != before).tolist():
        if filled[row, column] == drawn[row, column]:
            del after[top + row, left + column]
        else:
            after[top + row, left + column] = int(filled[row, column]), False
    return after


WALKS = ("floor", "door", "grass", "stairs up", "stairs down")


def test_a_figure_walks_and_an_address_is_a_place(page: Page, studio: Server) -> None:
    """A link opens the map in the whole window, with a figure at its place; steps go over floor and not through walls;
    closing restores the address."""
    page.goto(f"{studio.url}#model=dungeons&world=7&at=-3,5")
    dialog = page.get_by_role("dialog", name="Endless map")
    status = dialog.get_by_role("status").first
    expect(status).to_have_text("row -3, column 5")
    expect(dialog.get_by_role("button", name="End the walk")).to_have_attribute("aria-pressed", "true")
    expect(status).to_be_visible()
    assert dialog.bounding_box() == {"x": 0, "y": 0, **(page.viewport_size or {})}
    names = pt.load("dungeons").image.level_names
    assert names is not None
    row, column = map(int, re.findall(r"-?\d+", status.inner_text())[:2])
    tiles = pt.World("dungeons", seed=7).tiles(row - 9, column - 9, 19, 19)
    name_at = {(r, c): names[tiles[r + 9, c + 9]] for r in range(-9, 10) for c in range(-9, 10)}
    assert name_at[0, 0] in WALKS
    walked = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}
    for key, (down, right) in walked.items():
        page.keyboard.press(key)
        moves = name_at[down, right] in (*WALKS, "key", "chest", "monster")
        expect(status).to_contain_text(SHOWN.format(row=row + moves * down, column=column + moves * right))
        if moves:  # and back
            back = next(other for other, step in walked.items() if step == (-down, -right))
            page.keyboard.press(back)
            expect(status).to_contain_text(SHOWN.format(row=row, column=column))
    assert f"at={row}%2C{column}" in page.url
    page.keyboard.press("+")
    expect(dialog.get_by_label("Seed of the map")).to_be_hidden()
    page.keyboard.press("f")
    expect(dialog.get_by_label("Seed of the map")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    assert "world=" not in page.url
    page.goto(f"{studio.url}#model=dungeons&game=20261203&moves=40.{14 * 'A'}")  # 40 steps up, through a wall
    quest = page.get_by_role("group", name="Dungeon of the day")
    expect(quest.get_by_role("status")).to_contain_text("this round was not played on this map")
    quest.get_by_role("button", name="Leave").click()
    expect(quest).to_be_hidden()


def test_what_is_in_view_is_saved_for_tiled(page: Page, tmp_path: Path) -> None:
    """A ZIP with the map of the cells in view."""
    choose_model(page, "dungeons")
    page.get_by_role("button", name="Endless map").click()
    status = page.locator(".world-page").get_by_role("status").first
    expect(status).to_have_text(SHOWN.format(row=0, column=0))
    rows, columns, levels = tiles_in_view(page, tmp_path)
    np.testing.assert_array_equal(levels, pt.World("dungeons", seed=7).tiles(rows, columns, *levels.shape))


def tiles_in_view(page: Page, folder: Path) -> tuple[int, int, np.ndarray]:
    """Row and column of the first cell in view of a map around (0, 0), and the levels that are saved for Tiled."""
    with page.expect_download() as download:
        page.locator(".world-page").get_by_role("button", name="Tiled").click()
    download.value.save_as(folder / "world.zip")
    with zipfile.ZipFile(folder / "world.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".tmj")]
        saved = json.loads(archive.read(name))
    height, width = saved["height"], saved["width"]
    levels = np.array(saved["layers"][0]["data"]).reshape(height, width) - saved["tilesets"][0]["firstgid"]
    return -(height // 2) - height % 2, -(width // 2) - width % 2, levels


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize("day", ["2027-01-05", "2027-02-07", "2027-08-28"])
def test_a_solver_wins_where_key_or_vault_was_shut_in(tmp_path: Path, day: str) -> None:
    """Before a gallery led through their chunks; on the last day the solver passed a locked door without a key."""
    pt.export("dungeons", js=tmp_path)
    script = Path(__file__).parents[2] / "benchmarks" / "dungeon_days.mjs"
    command = ["node", str(script), str(tmp_path / "dungeons.js"), "1", day]
    assert "won 1;" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
