"""What the tests of the page do with it, in the words of a user."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from pointillist.studio.http.server import Server
from pointillist.studio.job_queue import QueueEntry
from pointillist.studio.service import StudioService

SECONDS = 180_000  # milliseconds that something may take on a machine that is busy with many other things
expect.set_options(timeout=SECONDS)  # its own is 5 s, whatever a page's is
DIGITS, COLOURS, RGB, SLOW = "gated-pixelcnn", "locally-masked-pixelcnn", "gated-pixelcnn-2", "gated-pixelcnn-3"
OUTLINE = "pixelcnn"


@contextmanager
def opened(browser: Browser, url: str, script: str = "", **context: Any) -> Iterator[Page]:
    """The page of a studio in a browser that shares nothing with others; a script runs before its own."""
    inside = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, "accept_downloads": True, **context})
    page = inside.new_page()
    page.add_init_script(script)
    page.set_default_timeout(SECONDS)
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(url)
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    yield page
    inside.close()
    assert [one for one in requests if not one.startswith((url.partition("#")[0], "blob:", "data:"))] == []
    # an error response is also a line of the console
    assert [one for one in errors if not one.startswith("Failed to load resource")] == []


def choose_model(page: Page, model: str) -> None:
    """Another model of the studio."""
    page.get_by_label("Model", exact=True).select_option(model)
    wait_for_frame(page)
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_visible()  # it may show an example first


def wait_for_frame(page: Page) -> None:
    """Until the page shows what was done: its fields are made anew in the next frame, and what is written into old
    ones by then is lost."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


STORED = """async () => {
  const opening = indexedDB.open("pointillist-studio");
  const database = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
  const read = (name) => new Promise((done) => {
    const reading = database.transaction(name).objectStore(name).getAll(); // after what is being written there
    reading.onsuccess = () => done(JSON.stringify(reading.result));
  });
  for (let before = null, same = 0; same < 2; ) {
    await new Promise((done) => setTimeout(done, 500)); // longer than from a change until it is kept
    const now = await read("values") + await read("gallery");
    same = now === before ? same + 1 : 0;
    before = now;
  }
  database.close();
}"""


def kept(page: Page) -> None:
    """Wait until the page has kept what was done: what is stored changes no more."""
    wait_for_frame(page)
    page.evaluate(STORED)


@contextmanager
def serving(service: StudioService, wait: bool = True) -> Iterator[Server]:
    """Start a studio; within the block its models are ready."""
    server = Server(service)
    server.start()
    try:
        if wait:
            service.models.wait(600)
        yield server
    finally:
        server.close()


def choose_file(
    page: Page, file: Path | tuple[str, bytes], button: str = "Open a picture or a manifest", exact: bool = False
) -> None:
    """Choose a file, or a name and its content, in the file dialog of a button."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button, exact=exact).click()
    if isinstance(file, tuple):
        chooser.value.set_files({"name": file[0], "mimeType": "application/octet-stream", "buffer": file[1]})
    else:
        chooser.value.set_files(file)


def choose(page: Page, group: str, name: str) -> None:
    """One of several choices side by side."""
    page.get_by_role("group", name=group).get_by_role("radio", name=name, exact=True).check()


def paint(page: Page, seed: int = 3, count: int = 1, label: str | None = None) -> None:
    """Paint and wait until it is all there, shown to its end."""
    page.get_by_label("Seed", exact=True).fill(str(seed))
    choose(page, "Canvases", str(count))
    if label is not None:
        choose(page, "Label", label)
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    before = page.locator(".thumbnails canvas").count()
    page.get_by_role("button", name="Paint", exact=True).click()
    wait_until_painted(page, before + count)


def wait_until_painted(page: Page, images: int | None = None) -> None:
    """Until nothing is at work and the hand is at the end.

    Args:
        page: the page.
        images: how many images of this session there are then. Without it, a canvas that was full before a click may be
            taken for the one that comes.
    """
    if images is not None:
        expect(page.locator(".thumbnails canvas")).to_have_count(images)
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Play (space)")).to_be_visible()
    expect(page.locator(".player .count")).to_have_text(re.compile(r"^([\d,]+) / \1$"))


def count(page: Page) -> tuple[int, int]:
    """Pixels that are shown, and pixels of the painting."""
    expect(page.locator(".player .count")).to_have_text(re.compile(r"^[\d,]+ / [\d,]+$"))
    found = re.fullmatch(r"([\d,]+) / ([\d,]+)", page.locator(".player .count").inner_text())
    assert found
    shown, of = (int(part.replace(",", "")) for part in found.groups())
    return shown, of


def canvas(page: Page, place: int = 0) -> Locator:
    """One of the canvases on the stage."""
    return page.locator(".canvas-view:not([hidden]) canvas.image").nth(place)


def pixels(page: Page, place: int = 0) -> np.ndarray:
    """What a canvas shows, uint8 `h w 4`; alpha 0 where nothing is painted."""
    return pixels_of(canvas(page, place))


def pixels_of(drawn: Locator) -> np.ndarray:
    """What is drawn, once the page has had a frame for it, uint8 `h w 4`."""
    wait_for_frame(drawn.page)
    height, width, data = drawn.evaluate(
        "c => [c.height, c.width, Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]"
    )
    return np.array(data, np.uint8).reshape(height, width, 4)


def grey(levels: np.ndarray, count: int = 17) -> np.ndarray:
    """Levels as shades."""
    return np.rint(255 * levels / (count - 1)).astype(np.uint8)


def point(page: Page, row: float, column: float, size: tuple[int, int] = (8, 8), place: int = 0) -> tuple[float, float]:
    """Move the pointer over a pixel, where it is in the next frame: options of a tool move the canvases."""
    wait_for_frame(page)
    box = canvas(page, place).bounding_box()
    assert box is not None
    x = box["x"] + box["width"] * (column + 0.5) / size[1]
    y = box["y"] + box["height"] * (row + 0.5) / size[0]
    page.mouse.move(x, y)
    return x, y


def drag(page: Page, *places: tuple[int, int], size: tuple[int, int] = (8, 8), place: int = 0) -> None:
    """Press at a pixel with the tool in hand, go over others, and let go."""
    point(page, *places[0], size, place)
    page.mouse.down()
    for each in places[1:]:
        point(page, *each, size, place)
    page.mouse.up()


def sticking_out(page: Page, column: str) -> list[str]:
    """Return what ends to the right of the column that it is in."""
    found: list[str] = page.locator(column).evaluate(
        "column => [...column.querySelectorAll('*')].filter((el) => el.offsetParent"
        " && el.getBoundingClientRect().right > column.getBoundingClientRect().right).map((el) => el.outerHTML)"
    )
    return found


def saved(page: Page, button: str, folder: Path) -> Path:
    """What a button gives, as a file."""
    with page.expect_download() as found:
        page.get_by_role("button", name=button, exact=True).click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def press_in_menu(page: Page, name: str) -> None:
    """An entry of the menu beside the buttons for saving."""
    page.locator(".menu summary").click()
    page.get_by_role("button", name=name).click()


def press_in_gallery(page: Page, name: str) -> None:
    """A button of the gallery's page."""
    page.get_by_role("button", name="Gallery", exact=True).click()
    gallery = page.get_by_role("dialog", name="Gallery")
    gallery.get_by_role("button", name=name, exact=True).click()
    gallery.get_by_role("button", name="Close", exact=True).click()


def saved_atlas(page: Page, folder: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Save the atlas; return its RGBA pixels and the places of its images."""
    with (
        page.expect_download(lambda file: file.suggested_filename == "atlas.png") as picture,
        page.expect_download(lambda file: file.suggested_filename == "atlas.json") as places,
    ):
        press_in_gallery(page, "Atlas")
    for file in (picture.value, places.value):
        file.save_as(folder / file.suggested_filename)
    with Image.open(folder / "atlas.png") as sheet:
        pixels_of_sheet = np.asarray(sheet.convert("RGBA"))
    return pixels_of_sheet, json.loads((folder / "atlas.json").read_text())["places"]


@contextmanager
def paintings_wait(rows: int = 8) -> Iterator[None]:
    """Within the block a painting comes no further than so many rows, until it is stopped: none ends too early."""
    check, opened = QueueEntry.check, threading.Event()
    counts: dict[str, int] = {}

    def wait(entry: QueueEntry) -> None:
        counts[entry.id] = counts.get(entry.id, 0) + 1
        while counts[entry.id] > rows and not entry._cancelled.is_set() and not opened.wait(0.02):
            pass
        check(entry)

    QueueEntry.check = wait  # type: ignore[method-assign]
    try:
        yield
    finally:
        opened.set()
        QueueEntry.check = check  # type: ignore[method-assign]


def paint_and_stop(page: Page, service: StudioService) -> None:
    """A painting is begun and stopped, on the page and on the server; some of it is there."""
    choose_model(page, SLOW)
    choose(page, "Canvases", "16")
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    with paintings_wait():
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.get_by_label("Pixels painted")).not_to_have_value("0")
        stop(page, service)
    shown, of = count(page)
    assert 0 < shown < of


def stop(page: Page, service: StudioService) -> None:
    """Stop what is at work, on the page and on the server."""
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_visible()
    emptied(service)


def at_work(page: Page, service: StudioService) -> None:
    """One painting is at work, soon; the page goes on meanwhile, which may be what carries the request."""
    until = time.monotonic() + SECONDS / 1000
    while len(service.queue) != 1 and time.monotonic() < until:
        page.wait_for_timeout(50)
    assert len(service.queue) == 1


def emptied(service: StudioService) -> None:
    """Nothing is at work any more, soon."""
    until = time.monotonic() + SECONDS / 1000
    while len(service.queue) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(service.queue) == 0
