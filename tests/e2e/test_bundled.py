"""Bundled models as a person meets them: a first minute, one seed one picture, rules, outlines, fills, photographs."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    choose,
    choose_model,
    drag,
    grey,
    opened,
    paint,
    pixels,
    pixels_of,
    point,
    serving,
    wait_for_frame,
    wait_until_painted,
)

FIRST_SEED = 1
"""Of the picture with which the studio opens."""
WATCH = """() => {
  const frame = document.querySelector(".canvas-view:not([hidden]) .frame");
  const watch = () => (window.worked ||= frame.classList.contains("filling"));
  new MutationObserver(watch).observe(frame, { attributes: true });
}"""
SWITCHES = {"walls": "Walls around", "stairs": "One way in, one way out", "reachable": "Everything reachable"}


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """In the order of `pointillist studio`, without `digits` and `scenes`."""
    with serving(StudioService(["icons", "outline-to-tile", "dungeons", "photos"])) as server:
        yield server


def shades(levels: np.ndarray) -> np.ndarray:
    """Levels of `icons` as the canvas shows them."""
    return 255 - grey(levels, 4)


def test_the_first_minute(browser: Browser, studio: Server) -> None:
    """A heart is painted at once, that of `sample` to the bit; so is the next seed; a card says what to try."""
    with opened(browser, studio.url) as page:
        expect(page.get_by_label("Text", exact=True)).to_have_value("heart")
        expect(page.get_by_role("region", name="First steps")).to_contain_text("Draw a line, press Paint.")
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        wait_until_painted(page, 1)
        for seed in (FIRST_SEED, FIRST_SEED + 1):
            if seed != FIRST_SEED:
                paint(page, seed=seed)
            expected = pt.sample("icons", 1, text="heart", seed=seed).levels[0, 0]
            np.testing.assert_array_equal(pixels(page)[..., 0], shades(expected))


def test_rules_of_maps_are_switches(page: Page) -> None:
    """The map is that of `sample` within the same rules, to the bit."""
    choose_model(page, "dungeons")
    for name in SWITCHES.values():
        page.get_by_label(name).check()
    paint(page, seed=3)
    model = pt.load("dungeons")
    names = list(model.image.level_names or ())
    rules = {
        "border": ["outside", "wall"],
        "counts": [{"levels": [name], "at_least": 1, "at_most": 1} for name in ("stairs up", "stairs down")],
        "connected": [{"levels": [name for name in names if name not in ("outside", "wall", "water", "tree")]}],
    }
    levels = pt.sample(model, 1, seed=3, rules=rules).levels[0, 0]
    assert model.tileset is not None
    np.testing.assert_array_equal(pixels(page)[..., :3], model.tileset.draw(levels)[..., :3])
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    assert {names[level] for level in border} <= {"outside", "wall"}


def test_outlines_come_with_an_example(page: Page) -> None:
    """It lies on the pad, so that no first picture is noise; the pencil has two levels, and the pad keeps its size."""
    choose_model(page, "outline-to-tile")
    pad = page.locator(".frame.pad")
    pad_canvas = pad.locator("canvas").first
    drawn = pixels_of(pad_canvas)[..., 0]
    assert 0 < (drawn == 0).mean() < 0.5  # lines
    prompt = page.get_by_label("Text", exact=True).input_value()
    assert prompt
    page.keyboard.press("b")
    expect(page.locator(".options .swatch")).to_have_count(0)
    expect(page.get_by_role("button", name="Line", exact=True)).to_be_visible()
    paint(page, seed=3)
    model = pt.load("outline-to-tile")
    hint = model.generation_config.hints[0]
    expected = pt.sample(model, 1, text=prompt, hint=np.array(hint.levels)[None], seed=3).levels[0, 0]
    palette = np.array(model.image.palette, np.uint8)[expected]
    opaque = palette[..., 3] == 255
    shown = pixels(page)[::2, ::2]  # two squares of the checkerboard for each pixel
    np.testing.assert_array_equal(shown[opaque], palette[opaque])
    alone = pad.bounding_box()
    paint(page, seed=4, count=4)
    with_others = pad.bounding_box()
    assert alone
    assert with_others
    assert with_others["width"] == alone["width"]


def test_a_fill_shows_each_candidate_once(page: Page) -> None:
    """With how many of the eight agree; the canvas says that it works."""
    paint(page, seed=5)
    page.keyboard.press("m")
    drag(page, (6, 6), (17, 17), size=(24, 24))
    page.evaluate(WATCH)
    page.get_by_role("button", name="Fill", exact=True).click()
    candidates = page.get_by_role("radiogroup", name="Candidates").get_by_role("radio")
    expect(candidates.first).to_be_visible()
    assert page.evaluate("() => window.worked")
    names = candidates.evaluate_all("(all) => all.map((el) => el.ariaLabel)")
    assert sum(int(name.rpartition(", ")[2].split()[0]) for name in names) == 8
    pictures = [pixels_of(candidates.nth(i).locator("canvas")).tobytes() for i in range(len(names))]
    assert len(set(pictures)) == len(names)


def test_repainting_goes_on_from_the_held_pixel(page: Page) -> None:
    """R, R, R paints three times, and each of them something else."""
    choose(page, "Canvases", "1")
    paint(page, seed=5)
    page.mouse.click(*point(page, 8, 8, (24, 24)))
    seen = {pixels(page).tobytes()}
    before = page.locator(".thumbnails canvas").count()
    for number in range(1, 4):
        page.keyboard.press("r")
        wait_until_painted(page, before + number)
        wait_for_frame(page)
        seen.add(pixels(page).tobytes())
    assert len(seen) == 4


def test_a_model_opens_with_a_picture_and_new_empties_the_prompt(page: Page) -> None:
    """The first picture of a model that is chosen; nothing counts after *New* but what is drawn, which is marked."""
    for model in ("dungeons", "outline-to-tile"):
        choose_model(page, model)
        expect(page.locator(".canvas-grid .words")).to_contain_text(f"seed {FIRST_SEED} · ")
    expect(page.get_by_role("region", name="First steps")).to_contain_text("Draw on the pad.")
    choose_model(page, "icons")
    expect(page.get_by_role("region", name="First steps")).to_contain_text("Draw a line, press Paint.")
    paint(page, seed=4)
    page.get_by_role("button", name="New", exact=True).click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("")
    page.keyboard.press("b")
    page.mouse.click(*point(page, 6, 6, (24, 24)))
    expect(page.locator(".go .note")).to_have_text("Paint completes what is on the canvas.")
    page.get_by_label("Text", exact=True).fill("heart")
    page.mouse.click(*point(page, 7, 7, (24, 24)))
    expect(page.locator(".go .note")).to_contain_text("as “heart”: empty the prompt to let the model choose")
    page.get_by_role("button", name="Paint", exact=True).click()
    mine = page.get_by_role("button", name="My pixels")
    expect(mine).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".canvases .frame .selection").first).to_be_visible()
    expect(mine).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".canvases .frame .selection").first).to_be_hidden()
    mine.click()
    expect(page.locator(".canvases .frame .selection").first).to_be_visible()


MODEL = "photos"
INTEGERS = 0.01
"""Relative: the page measures by integers, which cost some thousandths of 3 bits/dim, and this test by floats."""


def shown_example(page: Page) -> None:
    """The photograph is on the canvas at first, with its size by the model, smaller than that of other formats."""
    model = pt.load(MODEL)
    [picture] = model.generation_config.pictures
    levels = picture.level_array(model.image)
    sizes = page.locator(".sizes-of-file")
    expect(sizes).to_contain_text("bytes by this model")
    np.testing.assert_array_equal(pixels(page)[..., :3], levels[0].transpose(1, 2, 0))
    said = re.search(r"takes ([\d,]+) bytes", sizes.inner_text())
    assert said
    own = int(said[1].replace(",", ""))
    with torch.no_grad():
        bits = -float(model.log_prob(torch.from_numpy(levels))) / math.log(2)
    assert own == pytest.approx(bits / 8, rel=INTEGERS)
    assert own < min(picture.sizes.values())
    for name, size in picture.sizes.items():
        expect(sizes).to_contain_text(f"{name} {size:,}")


def test_the_size_as_png_is_of_the_file() -> None:
    """The picture is kept as the PNG whose size is named."""
    [picture] = pt.load(MODEL).generation_config.pictures
    data = base64.b64decode(picture.png)
    again = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened_file:
        opened_file.save(again, "PNG", optimize=True)
    assert picture.sizes["PNG"] == len(data) == len(again.getvalue())


def test_a_photograph_has_bits_and_a_hole(page: Page) -> None:
    """One click for the map, one for candidates of an erased part; then the size is not shown any more."""
    choose_model(page, MODEL)
    shown_example(page)
    expect(page.locator(".header .about")).to_have_text("photographs in colour: their bits, and holes to fill")
    expect(page.locator(".lines").first).to_be_hidden()  # a grid, which would hide a photograph
    page.get_by_role("button", name="Map of its bits").click()
    expect(page.locator("canvas.map").first).to_be_visible()
    before = pixels(page)
    page.get_by_role("button", name="Erase a part and fill it").click()
    expect(page.locator(".candidates button").first).to_be_visible()
    expect(page.locator(".sizes-of-file")).not_to_contain_text("bytes by this model")
    changed = (pixels(page) != before).any(-1)
    assert changed[20:28, 30:42].any()
    changed[20:28, 30:42] = False
    assert not changed.any()
    page.get_by_role("button", name="Show it").click()
    expect(page.locator(".sizes-of-file")).to_contain_text("bytes by this model")


def test_an_exported_page_begins_with_it(browser: Browser, tmp_path: Path) -> None:
    """The same picture and the same size, without a server."""
    pt.export(MODEL, html=tmp_path / "photos.html")
    with opened(browser, (tmp_path / "photos.html").as_uri()) as page:
        shown_example(page)
