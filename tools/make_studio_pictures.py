"""Make the pictures of the studio in docs/pictures: `python tools/make_studio_pictures.py [NAME ...]`.

A studio of bundled models is started, and Chromium shows it; for `training`, a studio of a model that is trained
meanwhile, which takes some minutes. NAME is that of a picture, without `studio-` and `.png`; those of the cards of the
front page go to docs/site. It is printed once the picture is there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService

DOCS = Path(__file__).parents[1] / "docs"
MODELS = ("scenes", "icons", "digits", "outline-to-tile", "dungeons")
CHROMIUM = os.environ.get("POINTILLIST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 120_000  # milliseconds
DESKTOP, PHONE, SIDE, CARD = (1280, 800), (390, 844), (844, 390), (440, 330)


@dataclass(frozen=True)
class Picture:
    """A picture: what is done before it is taken, the size of the window, its colours, and a studio of its own.

    A card of the front page is a part of the window, by its selectors, which is shown at `address`.
    """

    act: Callable[[Page], None]
    size: tuple[int, int] = DESKTOP
    scheme: Literal["light", "dark"] = "light"
    studio: Callable[[], AbstractContextManager[str]] | None = None
    card: tuple[str, ...] = ()
    address: str = ""


def choose(page: Page, model: str) -> None:
    """Choose another model."""
    page.get_by_label("Model", exact=True).select_option(model)
    page.locator(".header .about:not(:empty)").wait_for(state="attached")
    page.wait_for_timeout(500)


def paint(page: Page, seed: int, label: str | None = None, count: int | None = None) -> None:
    """Paint to the end."""
    if count is not None:
        page.get_by_role("group", name="Canvases").get_by_role("radio", name=str(count), exact=True).check()
    if label is not None:
        page.get_by_role("group", name="Label", exact=True).get_by_role("radio", name=label, exact=True).check()
    page.get_by_label("Seed", exact=True).fill(str(seed))
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("button", name="Paint", exact=True).click()
    done(page)


def done(page: Page) -> None:
    """Wait until nothing is painted any more."""
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Paint", exact=True).wait_for()
    page.get_by_role("button", name="Play (space)").wait_for()
    page.wait_for_timeout(400)


def point(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return a place on the canvas, by shares of its sides."""
    box = page.locator(".canvas-view:not([hidden]) canvas.image").first.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def watch(page: Page) -> None:
    """Show a digit half painted."""
    choose(page, "digits")
    paint(page, 3, "2")
    page.locator(".scrub").evaluate("s => { s.value = 430; s.dispatchEvent(new Event('input', {bubbles: true})); }")
    page.wait_for_timeout(1500)


def compare(page: Page) -> None:
    """Compare all labels."""
    choose(page, "digits")
    page.get_by_role("combobox", name="Compare").select_option("label")
    paint(page, 5)


def question(page: Page) -> None:
    """Hold a pixel and choose another level."""
    watch_whole(page)
    page.mouse.click(*point(page, 0.52, 0.3))
    page.wait_for_timeout(2500)
    page.locator(".likeliest button:not(.observed)").first.click()
    page.wait_for_timeout(3500)


def watch_whole(page: Page) -> None:
    """Paint a digit."""
    choose(page, "digits")
    paint(page, 3, "2")


def words(page: Page) -> None:
    """Paint a sentence, and show the pixels of one of its words."""
    choose(page, "scenes")
    done(page)  # the model opens with this sentence
    page.get_by_text("What each word did").click()
    page.locator(".prompt-words").first.get_by_role("button", name="red").click()
    page.wait_for_timeout(1500)


def inside(page: Page) -> None:
    """Look inside the network."""
    watch_whole(page)
    page.mouse.click(*point(page, 0.52, 0.3))
    page.get_by_text("Look inside the network").click()
    page.wait_for_timeout(12_000)
    page.locator(".inside").scroll_into_view_if_needed()
    page.wait_for_timeout(800)


def fill(page: Page) -> None:
    """Fill a hole of a digit."""
    watch_whole(page)
    page.keyboard.press("m")
    page.mouse.move(*point(page, 0.26, 0.26))
    page.mouse.down()
    page.mouse.move(*point(page, 0.74, 0.74), steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Fill", exact=True).click()
    page.locator(".candidates li").first.wait_for()
    done(page)


def hint(page: Page) -> None:
    """Paint four tiles into an outline."""
    choose(page, "outline-to-tile")
    page.get_by_role("group", name="Canvases").get_by_role("radio", name="4", exact=True).check()
    page.get_by_label("Seed", exact=True).fill("4")
    page.get_by_role("button", name="Example:").first.click()
    page.wait_for_timeout(1500)
    done(page)


def world(page: Page) -> None:
    """Walk through an endless map."""
    choose(page, "dungeons")
    page.get_by_role("button", name="Endless map").click()
    walked(page)


def held(page: Page) -> None:
    """Hold a pixel."""
    watch_whole(page)
    page.mouse.click(*point(page, 0.52, 0.3))
    page.wait_for_timeout(2500)


def walked(page: Page) -> None:
    """Wait until all parts in view of an endless map are there."""
    status = page.locator(".world-page small")
    status.filter(has_not_text="drawn").filter(has_text="row").wait_for()
    page.wait_for_timeout(500)


def outline(page: Page) -> None:
    """Paint two tiles into an outline."""
    page.get_by_role("group", name="Canvases").get_by_role("radio", name="2", exact=True).check()
    hint(page)


def guess(page: Page) -> None:
    """Guess the pixels of a digit, until half of it is there."""
    page.get_by_role("button", name="You against the model").click()
    for number in range(7):
        if number:
            page.get_by_role("button", name="Next pixel").click()
        page.locator(".guess-levels input").nth(8).click()
        page.get_by_role("button", name="Guess", exact=True).click()


@contextmanager
def watched() -> Iterator[str]:
    """Train a small model, and give the address of a studio that watches it."""
    with tempfile.TemporaryDirectory() as parent:
        run = Path(parent, "digits")
        intervals = ["--set", "train.intervals.save=60", "--set", "train.intervals.evaluate=60"]
        options = ["uci-digits", "--preset", "tiny", "--steps", "500", *intervals, "--out", str(run)]
        training = subprocess.Popen([sys.executable, "-m", "pointillist", "train", *options], stdout=subprocess.DEVNULL)
        try:
            while not (run / "metrics.jsonl").exists():
                if training.poll() is not None:
                    raise RuntimeError(f"The training ended with {training.returncode}: there is nothing to watch.")
                time.sleep(0.2)
            server = Server(StudioService([], run=run))
            server.start()
            yield server.url
            server.close()
        finally:
            training.terminate()
            training.wait()


def training(page: Page) -> None:
    """Follow a training for some checkpoints."""
    page.get_by_role("group", name="Label", exact=True).get_by_role("radio", name="3", exact=True).check()
    page.get_by_label("Seed", exact=True).fill("3")
    page.locator(".repaints button").nth(3).wait_for(timeout=5 * PATIENCE)
    page.wait_for_timeout(1500)


PICTURES = {
    "watch": Picture(watch),
    "compare": Picture(compare),
    "question": Picture(question),
    "words": Picture(words),
    "inside": Picture(inside),
    "fill": Picture(fill),
    "hint": Picture(hint),
    "world": Picture(world),
    "training": Picture(training, studio=watched),
    "phone": Picture(held, PHONE, "dark"),
    "side": Picture(held, SIDE),
    "card-world": Picture(walked, CARD, card=(".world",), address="#model=dungeons&world=7&at=-3,5"),
    "card-outline": Picture(outline, card=(".frame.pad", ".canvases"), address="#model=outline-to-tile"),
    "card-game": Picture(guess, (820, 560), card=(".guess",), address="#model=digits"),
}


def main() -> None:
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names or list(PICTURES)
    unknown = set(names) - set(PICTURES)
    if unknown:
        parser.error(f"There is no picture {', '.join(sorted(unknown))}: choose from {', '.join(PICTURES)}.")
    server = Server(StudioService(MODELS))
    server.start()
    if any(PICTURES[name].studio is None for name in names):
        server.service.models.wait(600)
    with tempfile.TemporaryDirectory() as parent, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name in names:
            file = Path(parent, f"studio-{name}.png")
            picture = PICTURES[name]
            with nullcontext(server.url) if picture.studio is None else picture.studio() as url:
                take(picture, browser, url, file)
            shutil.move(file, DOCS / "site" / f"{name}.png" if picture.card else DOCS / "pictures" / file.name)
            print(name, flush=True)
        browser.close()
    server.close()


def take(picture: Picture, browser: Browser, url: str, file: Path) -> None:
    """Take a picture of the studio at an address."""
    width, height = picture.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=picture.scheme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url + picture.address)
    page.get_by_role("button", name="Close", exact=False).first.wait_for(state="attached")
    if not picture.address:
        done(page)
    picture.act(page)
    page.screenshot(path=file, clip=around(page, picture.card) if picture.card else None)
    shrink(file)
    context.close()


def around(page: Page, selectors: tuple[str, ...]) -> FloatRect:
    """Return the box around parts of the page."""
    boxes = [box for selector in selectors if (box := page.locator(selector).first.bounding_box())]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = max(box["x"] + box["width"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def shrink(file: Path) -> None:
    """Save a picture in 256 colours, which takes less than half of the bytes and looks the same."""
    with Image.open(file) as image:
        small = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(file, optimize=True)


if __name__ == "__main__":
    main()
