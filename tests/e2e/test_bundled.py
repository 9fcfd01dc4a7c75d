"""Bundled models as a person meets them: the first minute, one seed one picture, prompts, rules, outlines, fills."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
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
    with serving(StudioService(["icons", "outline-to-tile", "dungeons"])) as server:
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
