"""Workers of an exported page: the pictures are the same for any number of them, and where they are refused."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import pointillist as pt
from pointillist.studio import reproduce
from pointillist.studio.service import LIMITS
from tests.e2e.helpers import SECONDS, drag, opened, pixels, point, saved, wait_for_frame, wait_until_painted

COUNT = """
Object.defineProperty(navigator, "hardwareConcurrency", { get: () => PROCESSORS });
const Usual = Worker;
window.workers = 0;
window.Worker = class extends Usual { constructor(...where) { super(...where); window.workers++; } };
"""
"""Give the page so many processors, and count its workers."""
REFUSED = {
    "by an error": "window.Worker = class { constructor() { throw new Error('refused'); } };",
    "without a file": """
    const usual = URL.createObjectURL, isScript = (file) => file.type === "text/javascript";
    URL.createObjectURL = (file) => (isScript(file) ? "blob:null/none" : usual.call(URL, file));
    """,
    "but for the first": """
    const Usual = Worker;
    let count = 0;
    Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 3 });
    window.Worker = class extends Usual { constructor(where) { super(count++ ? "blob:null/none" : where); } };
    """,
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a page of digits."""
    path = tmp_path_factory.mktemp("page") / "digits.html"
    pt.export("digits", html=path)
    return path.as_uri()


def check_pictures(browser: Browser, address: str, script: str, folder: Path) -> int | None:
    """Paint four pictures and fill a hole in the third, as Python does; return the number of workers."""
    with opened(browser, f"{address}#label=3&seed=7&n=4", script) as page:
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        wait_until_painted(page, 4)
        for place, expected in enumerate(pt.sample("digits", 4, label="3", seed=7).array):
            np.testing.assert_array_equal(pixels(page, place)[..., :3], np.broadcast_to(expected, (28, 28, 3)))
        page.mouse.click(*point(page, 1, 1, (28, 28), 2))
        page.get_by_role("button", name=re.compile("^Eraser")).click()
        drag(page, (20, 4), (20, 24), size=(28, 28), place=2)
        page.get_by_role("button", name="Fill", exact=True).click()
        expect(page.locator(".candidates button").first).to_be_visible()
        manifest = reproduce.read_manifest(saved(page, "PNG", folder))
        page.get_by_role("radiogroup", name="Candidates").get_by_role("radio").last.click()
        wait_for_frame(page)
        expect(page.get_by_role("button", name="Manifest", exact=True)).to_be_enabled()
        last = reproduce.read_manifest(saved(page, "PNG", folder))
        workers: int | None = page.evaluate("window.workers")
    model = pt.load("digits")
    assert manifest.request.pick == 0
    assert last.request.pick
    for each in (manifest, last):
        assert reproduce.reproduce(model, model.fingerprint, each, LIMITS).identical == [True]
    return workers


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (3, 3), (64, 4)])
def test_pictures_and_candidates_are_divided(
    browser: Browser, digits: str, tmp_path: Path, processors: int, workers: int
) -> None:
    """Among as many workers as there are processors, four at most; others than the first begin when they have work."""
    script = COUNT.replace("PROCESSORS", str(processors))
    assert check_pictures(browser, digits, script, tmp_path) == workers
    with opened(browser, digits + "#seed=7", script) as page:
        wait_until_painted(page, 1)
        assert page.evaluate("window.workers") == 1


HELD = """
const Usual = Worker;
let count = 0;
Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 4 });
window.Worker = class extends Usual {
  constructor(...where) {
    super(...where);
    const wait = count++ ? 0 : 1500;
    this.addEventListener("message", (event) => {
      if (event.late) return;
      event.stopImmediatePropagation();
      const again = Object.assign(new MessageEvent("message", { data: event.data }), { late: true });
      setTimeout(() => this.dispatchEvent(again), wait);
    });
  }
};
"""
"""What the first of four workers says arrives later than what the others say."""


def test_pictures_stand_in_the_gallery_by_their_number(browser: Browser, digits: str) -> None:
    """The newest first, as one worker adds them, whichever is done first."""
    with opened(browser, f"{digits}#label=3&seed=7&n=4", HELD) as page:
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        wait_until_painted(page, 4)
        bits = pt.sample("digits", 4, label="3", seed=7).nats / -math.log(2)
        titles = [f"3, {each:.1f} bits" for each in reversed(bits)]
        thumbnails = page.locator(".thumbnails button")
        assert [each.get_attribute("title") for each in thumbnails.all()] == titles


@pytest.mark.parametrize("way", REFUSED)
def test_a_page_without_workers_paints_the_same(browser: Browser, digits: str, tmp_path: Path, way: str) -> None:
    """By itself, or by the workers that it has: no request is lost."""
    assert check_pictures(browser, digits, REFUSED[way], tmp_path) is None


def test_an_endless_map_is_divided(browser: Browser, tmp_path: Path) -> None:
    """The tiles are those that one worker draws, with rules, too."""
    pt.export("dungeons", html=tmp_path / "dungeons.html")
    address = (tmp_path / "dungeons.html").as_uri() + "#world=7&rules=observed"
    maps = []
    for workers in (1, 4):
        script = COUNT.replace("PROCESSORS", str(workers))
        with opened(browser, address, script, viewport={"width": 420, "height": 500}) as page:
            page.get_by_role("button", name="All controls").click()  # the map takes all of the window
            status = page.locator(".world-page").get_by_role("status").first
            expect(status).to_have_text("row 0, column 0", timeout=5 * SECONDS)
            assert page.evaluate("window.workers") == workers
            maps.append(page.locator("canvas.world").evaluate("(canvas) => canvas.toDataURL()"))
    assert maps[0] == maps[1]
