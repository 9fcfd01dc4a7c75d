"""A page that `pointillist export --html` wrote: opened from disk, it paints the pictures of the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.engine import library
from pointillist.model.config import model_fingerprint
from pointillist.studio import reproduce
from pointillist.studio.export import page as work
from pointillist.studio.service import LIMITS
from tests.e2e.helpers import SECONDS, canvas, choose, opened, pixels, point, saved, wait_until_painted
from tests.e2e.test_accessibility import violations

SETTINGS: dict[str, Any] = {"seed": 7, "guidance": 2.0, "temperature": 0.8, "top_p": 0.9}
LINK = "#" + "&".join(f"{name}={value}" for name, value in SETTINGS.items())


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a page of digits."""
    path = tmp_path_factory.mktemp("page") / "digits.html"
    pt.export("digits", html=path)
    return path.as_uri()


def painted(page: Page) -> np.ndarray:
    """The picture, once it is all there."""
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    wait_until_painted(page)
    return pixels(page)[..., :3]


def expected(name: str, **conditions: Any) -> np.ndarray:
    """The picture of the same settings in Python."""
    return np.broadcast_to(pt.sample(name, 1, **SETTINGS, **conditions).array[0], (*_size(name), 3))


def _size(name: str) -> tuple[int, int]:
    image = pt.load(name).image
    return image.height, image.width


def test_a_page_paints_the_pictures_of_the_command_line(browser: Browser, digits: str, tmp_path: Path) -> None:
    """From a link and by hand, offline; the file that it saves is the same picture, and the animation shows it."""
    with opened(browser, digits + LINK + "&label=3", offline=True) as page:
        np.testing.assert_array_equal(painted(page), expected("digits", label="3"))
        choose(page, "Label", "5")
        page.get_by_role("button", name="Paint", exact=True).click()
        wait_until_painted(page, 2)
        five = expected("digits", label="5")
        np.testing.assert_array_equal(pixels(page)[..., :3], five)
        assert "label=5" in page.evaluate("location.hash")
        np.testing.assert_array_equal(np.array(Image.open(saved(page, "PNG", tmp_path)).convert("RGB")), five)
        with Image.open(saved(page, "GIF", tmp_path)) as film:
            assert getattr(film, "n_frames", 1) > 30
            film.seek(film.n_frames - 1)  # type: ignore[attr-defined]
            large = np.array(film.convert("RGB"))
        scale = len(large) // len(five)
        np.testing.assert_array_equal(large, five.repeat(scale, 0).repeat(scale, 1))
        expect(page.locator(".provenance")).to_contain_text(re.compile("digits, licence .*, program [0-9a-f]{16}"))


def test_a_file_that_a_page_saved_is_reproduced(browser: Browser, digits: str, tmp_path: Path) -> None:
    """It carries its manifest, by which the command line paints it again."""
    with opened(browser, digits + LINK) as page:
        painted(page)
        manifest = reproduce.read_manifest(saved(page, "PNG", tmp_path))
    model = pt.load("digits")
    assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]


@pytest.mark.parametrize("kind", ["interpolate", "replace", "regions"])
def test_variations_are_reproduced(browser: Browser, digits: str, tmp_path: Path, kind: str) -> None:
    """Of a painting, of a drawing, whose uniforms are recovered, and of their parts: `reproduce` paints the same."""
    model = pt.load("digits")
    with opened(browser, digits + "#label=3&seed=7&guidance=2&temperature=0.9&top_p=1") as page:
        before = painted(page)
        page.get_by_text("Variations of the canvas").click()
        page.get_by_label("Way to vary").select_option(kind)
        page.get_by_label("Strength").fill("0.6")
        for shown, is_drawn in ((2, False), (4, True)):  # the drawing is kept, too
            if is_drawn:
                page.keyboard.press("b")
                page.mouse.click(*point(page, 20, 4, (28, 28)))
            page.get_by_role("button", name="Paint variations").click()
            wait_until_painted(page, shown)
            manifest = reproduce.read_manifest(saved(page, "PNG", tmp_path))
            (spec,) = manifest.request.samples
            assert spec.variation.kind == kind
            assert (spec.variation.levels is not None) == (is_drawn or kind == "regions")
            assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]
            assert not np.array_equal(pixels(page)[..., :3], before)


def test_a_pixel_shows_its_distribution_and_a_hole_is_filled(browser: Browser, digits: str, tmp_path: Path) -> None:
    """A click holds a pixel; what is erased gets candidates that keep the rest; `reproduce` draws them again."""
    with opened(browser, digits + LINK) as page:
        before = painted(page)
        page.mouse.click(*point(page, 14, 14, (28, 28)))
        expect(page.locator(".likeliest button").first).to_contain_text("%")
        page.get_by_role("button", name=re.compile("^Eraser")).click()
        page.mouse.move(*point(page, 20, 4, (28, 28)))
        page.mouse.down()
        page.mouse.move(*point(page, 20, 24, (28, 28)), steps=20)
        page.mouse.up()
        hole = pixels(page)[..., 3] == 0
        assert hole.sum() > 10
        page.get_by_role("button", name="Fill", exact=True).click()
        expect(page.locator(".candidates button").first).to_be_visible()
        after = pixels(page)[..., :3]
        np.testing.assert_array_equal(after[~hole], before[~hole])
        manifest = reproduce.read_manifest(saved(page, "PNG", tmp_path))
    model = pt.load("digits")
    assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]


def test_icons_are_black_on_white_and_saved_with_transparent_paper(browser: Browser, tmp_path: Path) -> None:
    """A file has no paper, and is read as the levels that were painted; a prompt to avoid is that of `sample`."""
    pt.export("icons", html=tmp_path / "icons.html")
    with opened(browser, (tmp_path / "icons.html").as_uri() + "#text=heart&seed=7", offline=True) as page:
        shown = painted(page)
        path = saved(page, "PNG", tmp_path)
        page.get_by_label("Text", exact=True).fill("bell")
        page.locator("summary", has_text="Not").click()
        page.get_by_label("Not", exact=True).fill("heart")
        page.get_by_role("button", name="Paint", exact=True).click()
        wait_until_painted(page, 2)
        avoiding = pixels(page)[..., :3]
    other = pt.sample("icons", 1, text="bell", negative_prompt="heart", seed=7)
    np.testing.assert_array_equal(avoiding, np.broadcast_to(other.array[0], avoiding.shape))
    samples = pt.sample("icons", 1, text="heart", seed=7)
    np.testing.assert_array_equal(shown, np.broadcast_to(samples.array[0], shown.shape))
    assert shown[0, 0].tolist() == [255, 255, 255]
    with Image.open(path) as picture:
        rgba = np.asarray(picture.convert("RGBA"))
        np.testing.assert_array_equal(pt.load("icons").image.level_array(picture), samples.levels)
    assert not rgba[..., :3].any()
    np.testing.assert_array_equal(rgba[..., 3], 255 - shown[..., 0])


WATCH = """() => {
  window.seen = [];
  const note = (state) => window.seen.includes(state) || window.seen.push(state);
  const look = () => {
    const range = document.querySelector(".scrub");
    const isWhole = range.value === range.max && 0 < Number(range.max) && Number(range.max) < 1024;
    if (document.querySelector(".candidates button")) note("candidates");
    else if (document.querySelector(".go .stop") && isWhole) note("first");
    requestAnimationFrame(look);
  };
  look();
}"""
"""What a fill shows: the first candidate, while others are drawn; then all of them."""


def test_a_map_is_completed_exactly(browser: Browser, tmp_path: Path) -> None:
    """By a model that reads all known tiles first; one is shown before the others, and `reproduce` draws it again.

    In generation order only, and by particles, where that is chosen.
    """
    pt.export("dungeons", html=tmp_path / "dungeons.html")
    with opened(browser, (tmp_path / "dungeons.html").as_uri() + "#seed=7&temperature=1&guidance=1") as page:
        painted(page)
        page.get_by_role("button", name=re.compile("^Eraser")).click()
        page.mouse.move(*point(page, 8, 4, (32, 32)))
        page.mouse.down()
        page.mouse.move(*point(page, 8, 28, (32, 32)), steps=20)
        page.mouse.up()
        page.evaluate(WATCH)
        page.get_by_role("button", name="Fill", exact=True).click()
        expect(page.locator(".candidates button").first).to_be_visible()
        assert page.evaluate("window.seen") == ["first", "candidates"]
        note = page.locator(".fill-panel .note")
        expect(note).to_contain_text("trained to complete images")
        manifests = [reproduce.read_manifest(saved(page, "PNG", tmp_path))]
        for method, sentence in (("sequential", "In the order"), ("smc", "By Sequential Monte Carlo")):
            page.get_by_label("What counts when a hole is filled").select_option(method)
            page.get_by_role("button", name="Fill again").click()
            expect(note).to_contain_text(sentence, timeout=240_000)  # particles are the work of a hundred maps
            manifests.append(reproduce.read_manifest(saved(page, "PNG", tmp_path)))
    assert [manifest.request.method for manifest in manifests] == ["known", "sequential", "smc"]
    model = pt.load("dungeons")
    for manifest in manifests:
        assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]


def test_a_page_without_webassembly_paints_the_same(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the decoder in JavaScript."""
    damaged = tmp_path / "library.wasm"
    damaged.write_bytes(library.WEBASSEMBLY.read_bytes()[:100])
    monkeypatch.setattr(work, "WEBASSEMBLY", damaged)
    pt.export("dungeons", html=tmp_path / "dungeons.html")
    monkeypatch.undo()
    drawn = []
    for address in (tmp_path / "dungeons.html", tmp_path / "compiled.html"):
        if not address.exists():
            pt.export("dungeons", html=address)
        with opened(browser, address.as_uri() + LINK) as page:
            drawn.append(painted(page))
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_axe_finds_nothing_to_mend(browser: Browser, digits: str, scheme: str, size: tuple[int, int]) -> None:
    """On a desktop and on a phone, in light and in dark."""
    viewport = {"width": size[0], "height": size[1]}
    with opened(browser, digits + LINK, color_scheme=scheme, viewport=viewport) as page:
        painted(page)
        assert violations(page) == []
        page.mouse.click(*point(page, 14, 14, (28, 28)))
        expect(canvas(page)).to_be_visible()
        assert violations(page) == []


def test_an_endless_map_without_a_server(browser: Browser, tmp_path: Path) -> None:
    """The tiles are those of `World`; one walks from chunk to chunk."""
    path = tmp_path / "dungeons.html"
    pt.export("dungeons", html=path)
    with opened(browser, path.as_uri(), offline=True) as page:
        page.get_by_role("button", name="Endless map").click()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".world-page").get_by_role("status").first).to_have_text("row 0, column 4")
        page.get_by_role("button", name="To the canvas", exact=True).click()
        levels = pt.World("dungeons", seed=7).tiles(-16, 4 - 16, 32, 32)
        tileset = pt.load("dungeons").tileset
        assert tileset is not None
        np.testing.assert_array_equal(pixels(page)[..., :3], tileset.draw(levels)[..., :3])


def test_maps_and_worlds_by_rules(browser: Browser, tmp_path: Path) -> None:
    """By the switches of the prompt panel, which the address holds, and of the endless map: the tiles of Python."""
    path = tmp_path / "dungeons.html"
    pt.export("dungeons", html=path)
    model = pt.load("dungeons")
    assert model.tileset is not None
    walkable = [name for name in model.image.level_names or () if name not in ("outside", "wall", "water", "tree")]
    counts = [{"levels": [name], "at_least": 1, "at_most": 1} for name in ("stairs up", "stairs down")]
    rules = {"border": ["outside", "wall"], "counts": counts, "connected": [{"levels": walkable}]}
    with opened(browser, path.as_uri() + "#seed=3&rules=walls,stairs", offline=True) as page:
        page.get_by_label("Everything reachable").check()
        page.get_by_role("button", name="Paint", exact=True).click()
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        wait_until_painted(page, 2)
        levels = pt.sample(model, 1, seed=3, rules=rules).levels[0, 0]
        np.testing.assert_array_equal(pixels(page)[..., :3], model.tileset.draw(levels)[..., :3])
        assert "rules=walls%2Cstairs%2Creachable" in page.evaluate("location.hash")
        manifest = reproduce.read_manifest(saved(page, "PNG", tmp_path))
        assert reproduce.reproduce(model, model_fingerprint(model), manifest, LIMITS).identical == [True]
    small = {"width": 420, "height": 500}  # a window of few chunks
    with opened(browser, path.as_uri(), offline=True, viewport=small) as page:
        page.get_by_role("button", name="Endless map").click()
        page.get_by_role("button", name="All controls").click()  # the map takes all of a small window
        page.get_by_label("Passages").check()
        expect(page.locator(".world-page").get_by_role("status").first).to_have_text(
            "row 0, column 0", timeout=5 * SECONDS
        )
        page.get_by_role("button", name="To the canvas", exact=True).click()
        world = pt.World(model, 7, {"connected": [{"levels": walkable}]})
        colours = model.tileset.mean_colours()[world.tiles(-16, -16, 32, 32)]
        np.testing.assert_array_equal(pixels(page)[..., :3], colours[..., :3])


@pytest.mark.parametrize("width", [360, 1000])
def test_a_page_in_a_frame_leaves_the_page_around_it_in_place(
    browser: Browser, digits: str, tmp_path: Path, width: int
) -> None:
    """The studio shows its canvas while it paints, within the frame; only the upper edge of that is on the screen."""
    frame = f'<div style="height: 560px"></div><iframe src="{digits}" style="width: {width}px; height: 600px"></iframe>'
    around = tmp_path / "around.html"
    around.write_text(f"<!doctype html><title>Around</title>{frame}", encoding="utf-8")
    page = browser.new_page()
    page.goto(around.as_uri())
    inside = page.frames[1]
    expect(inside.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    inside.evaluate("() => [...document.querySelectorAll('button')].find((b) => b.textContent === 'Paint').click()")
    expect(inside.locator(".player .count")).to_have_text("784 / 784")
    assert page.evaluate("scrollY") == 0
    grid = "document.querySelector('.canvas-grid').getBoundingClientRect()"
    assert inside.evaluate(f"{grid}.top < innerHeight && {grid}.bottom > 0")
    page.close()
