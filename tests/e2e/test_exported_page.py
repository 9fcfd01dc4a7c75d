"""A page that `pointillist export --html` wrote: opened from disk, it paints the pictures of the command line."""

from __future__ import annotations

import re
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.engine import library
from pointillist.studio.export import page as work
from tests.e2e.helpers import canvas, choose, opened, pixels, point, saved, wait_until_painted
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
    array = pt.sample(name, 1, **SETTINGS, **conditions).array[0]
    return np.broadcast_to(array, (*array.shape[:2], 3))


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


def test_a_page_without_webassembly_paints_the_same(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the decoder in JavaScript."""
    damaged = tmp_path / "library.wasm"
    damaged.write_bytes(library.WEBASSEMBLY.read_bytes()[:100])
    monkeypatch.setattr(work, "WEBASSEMBLY", damaged)
    pt.export("digits", html=tmp_path / "digits.html")
    with opened(browser, (tmp_path / "digits.html").as_uri() + LINK + "&label=3") as page:
        np.testing.assert_array_equal(painted(page), expected("digits", label="3"))


def test_a_page_shows_itself_and_its_progress_before_its_model(browser: Browser, digits: str) -> None:
    """As from a slow network: most of the model comes when the bar is there."""
    content, more = Path(digits.removeprefix("file://")).read_bytes(), threading.Event()

    class Halves(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + content[:-1_000_000])
            more.wait(60)
            self.wfile.write(content[-1_000_000:])

    with ThreadingHTTPServer(("127.0.0.1", 0), Halves) as server, closing(browser.new_page()) as page:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}", wait_until="commit")
        bar = page.get_by_role("progressbar", name="Loaded")
        page.wait_for_function("() => document.querySelector('progress')?.value > 10_000")
        assert bar.evaluate("(bar) => bar.value / bar.max") < 0.5
        expect(page.get_by_role("button", name="Paint", exact=True)).to_be_disabled()
        more.set()
        expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
        expect(bar).to_have_count(0)
        server.shutdown()


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
