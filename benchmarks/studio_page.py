"""Latency of the studio's page and of exported pages: from the click to the first pixel, and to the whole image.

    python benchmarks/studio_page.py MODEL [--exported] [--times 11]
    python benchmarks/studio_page.py MODEL --cpu [--times 5]
    python benchmarks/studio_page.py MODEL --slow [--times 5]
    python benchmarks/studio_page.py docs/_build --site [--times 5]

The page runs in Chromium at live speed; the same image is sampled by `pointillist.sample` in this process, which opens
its engine anew each time, like the command line. Of an exported page, which is a file without a server, the time until
it can paint is measured too, in a browser that has not seen it. Times are medians in milliseconds.

`--cpu` measures the processor time of all processes of the browser with an exported page, each time in a new one, as
medians in seconds: from opening to a picture; a fill of the middle quarter, to its first candidate and to all eight; if
the model draws endless maps, the first view of a map, from the click until no part of it is missing. By the clock, it
measures a stroke to its first ghost.

`--slow` opens an exported page, served from this computer without compression, over a network of 1.5 Mbit/s with a
delay of 150 ms, each time in a new browser: seconds until something is shown, until the program is there, and until it
can paint.

`--site` opens the front page that `make docs` has written, served from this computer: its bytes with
all that it loads, as they are and as a server sends them that compresses text, and the time to its first pixel.
"""

from __future__ import annotations

import argparse
import gzip
import http.server
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, Playwright, Response, sync_playwright

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService

# records what the page shows, frame by frame, from the click on
WATCH = """(button) => new Promise((done) => {
  const scrub = document.querySelector(".scrub");
  const seen = {first: null};
  const start = performance.now();
  button.click();
  const look = () => {
    const passed = performance.now() - start;
    if (scrub.value !== "0" && seen.first === null) seen.first = passed;
    const over = seen.first !== null && scrub.value === scrub.max && !button.classList.contains("stop");
    if (over) done([seen.first, passed]);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--exported", action="store_true", help="measure the page that pointillist export writes")
    parser.add_argument("--cpu", action="store_true", help="measure processor time with the page that export writes")
    parser.add_argument("--slow", action="store_true", help="measure the page that export writes over a slow network")
    parser.add_argument("--site", action="store_true", help="measure the front page of the site in this folder")
    parser.add_argument("--times", type=int, default=11)
    args = parser.parse_args()
    if args.site:
        print_front_page(args.model, args.times)
        return
    if args.cpu or args.slow:
        print_steps(args.model, args.times, args.slow)
        return
    model = pt.load(args.model)
    open_times, page_times, sample_times = [], [], []
    with address(args.model, args.exported) as url, sync_playwright() as driver:
        browser = launched(driver)
        for _ in range(args.times if args.exported else 1):
            page, seconds = open_page(browser, url)
            open_times.append(seconds)
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        for seed in range(args.times):  # alternating, so that both run under the same conditions
            page_times.append(time_page(page, seed))
            began = time.perf_counter()
            pt.sample(model, 1, seed=seed)
            sample_times.append(1000 * (time.perf_counter() - began))
        browser.close()
    first, whole = (statistics.median(column) for column in zip(*page_times, strict=True))
    sampled, opened = statistics.median(sample_times), statistics.median(open_times)
    if args.exported:
        print(f"address to a page that can paint {opened:.0f} ms")
    print(f"click to first pixel {first:.0f} ms, to the whole image {whole:.0f} ms; sample {sampled:.0f} ms")


def launched(driver: Playwright) -> Browser:
    """Start the Chromium of the system."""
    return driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])


def browser_seconds() -> float:
    """Return the processor time of all processes of the browser that this process started."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "chrom" in process.name():
                spent = process.cpu_times()
                total += float(spent.user + spent.system)
    return total


IDLE = "() => document.querySelector('.go button.strong').textContent === 'Paint'"
PAINTED = """(most) => {
  const range = document.querySelector(".scrub");
  return range.max !== "0" && range.max < most && range.value === range.max;
}"""
DRAWN = "() => /column -?\\d+$/.test(document.querySelector('.world-page [role=status]').textContent)"


def print_steps(model: str, times: int, slow: bool) -> None:
    """Measure processor time, or time over a slow network; print medians with the lowest and the highest."""
    columns: dict[str, list[float]] = {}
    with address(model, exported=True) as url, sync_playwright() as driver:
        for _ in range(times):
            browser = launched(driver)
            for name, seconds in (measure_slow if slow else measure_cpu)(browser, url):
                columns.setdefault(name, []).append(seconds)
            browser.close()
    for name, column in columns.items():
        print(f"{name} {statistics.median(column):.2f} s ({min(column):.2f} to {max(column):.2f})")


def measure_cpu(browser: Browser, url: str) -> Iterator[tuple[str, float]]:
    """Use a page as a visitor does, and yield what each step took."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(300_000)
    before = browser_seconds()
    page.goto(f"{url}#seed=7")
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.wait_for_function(PAINTED, arg=1_000_000)
    page.wait_for_function(IDLE)
    yield "opening to a picture", browser_seconds() - before
    pixels = int(page.locator(".scrub").get_attribute("max") or 0)
    page.keyboard.press("m")
    drag(page, (0.26, 0.26), (0.74, 0.74))
    page.wait_for_timeout(500)
    before = browser_seconds()
    page.get_by_role("button", name="Fill", exact=True).click()
    page.wait_for_function(PAINTED, arg=pixels)
    yield "fill, first candidate", browser_seconds() - before
    page.locator(".candidates button").first.wait_for()
    page.wait_for_function(IDLE)
    yield "fill, eight candidates", browser_seconds() - before
    page.get_by_role("button", name="New", exact=True).click()
    page.keyboard.press("b")
    drag(page, (0.2, 0.5), (0.8, 0.5))
    began = time.perf_counter()
    page.locator(".ghosts button").first.wait_for()
    yield "stroke to a ghost, by the clock", time.perf_counter() - began
    if page.get_by_role("button", name="Endless map").count():
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
        before = browser_seconds()
        page.get_by_role("button", name="Endless map").click()
        page.wait_for_function(DRAWN)
        yield "first view of an endless map", browser_seconds() - before


SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1_500_000 / 8, "uploadThroughput": 1_500_000 / 8}
FIRST_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  for (const { name, startTime } of list.getEntries()) if (name === "first-contentful-paint") done(startTime);
}).observe({ type: "paint", buffered: true }))"""


def measure_slow(browser: Browser, url: str) -> Iterator[tuple[str, float]]:
    """Open a page over a slow network, and yield the seconds until each step."""
    file = Path(url.removeprefix("file://"))
    with served(file.parent) as base:
        page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        page.set_default_timeout(300_000)
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW)
        began = time.perf_counter()
        page.goto(f"{base}/{file.name}", wait_until="commit")
        yield "first paint", page.evaluate(FIRST_PAINT) / 1000
        page.locator(".go button.strong").wait_for(state="attached")
        yield "program", time.perf_counter() - began
        page.locator(".go button.strong:enabled").wait_for()
        yield "can paint", time.perf_counter() - began


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the canvas, between places in parts of its sides."""
    box = page.locator("canvas.image").first.bounding_box()
    assert box is not None
    for (x, y), act in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        act()


@contextmanager
def served(folder: str | Path) -> Iterator[str]:
    """Serve a folder from this computer; yield its address."""
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve files without a line for each."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


FIRST_PIXEL = "() => [...document.querySelectorAll('.digits canvas')].some((c) => c.getContext('2d')"
FIRST_PIXEL += ".getImageData(0, 0, c.width, c.height).data.some((value) => value))"


def print_front_page(folder: str, times: int) -> None:
    """Open the front page as a browser that has not seen it, and print its bytes and the time to its first pixel."""
    sizes, seconds, spent, packed = [], [], [], 0
    with served(folder) as base, sync_playwright() as driver:
        browser = launched(driver)
        for _ in range(times):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            responses: list[Response] = []
            page.on("response", lambda each, to=responses: to.append(each))
            began, before = time.perf_counter(), browser_seconds()
            page.goto(f"{base}/index.html", wait_until="commit")
            page.wait_for_function(FIRST_PIXEL)
            seconds.append(time.perf_counter() - began)
            spent.append(browser_seconds() - before)
            page.wait_for_load_state("networkidle")
            bodies = {each.url: each.body() for each in responses if each.ok}
            sizes.append(sum(map(len, bodies.values())))
            packed = sum(len(body if url.endswith(".png") else gzip.compress(body)) for url, body in bodies.items())
            page.context.close()
        browser.close()
    print(f"{max(sizes):,} bytes, {packed:,} with text compressed")
    for name, column in (("by the clock", seconds), ("of the processor", spent)):
        print(f"first pixel {statistics.median(column):.2f} s {name} ({min(column):.2f} to {max(column):.2f})")


@contextmanager
def address(model: str, exported: bool) -> Iterator[str]:
    """Serve the studio, or write the exported page, for as long as it is measured; yield the address."""
    if exported:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            pt.export(model, html=page)
            yield page.as_uri()
        return
    service = StudioService([model])
    server = Server(service)
    server.start()
    service.models.wait()
    yield server.url
    server.close()


def open_page(browser: Browser, url: str) -> tuple[Page, float]:
    """Open a page in a context of its own; return it with the milliseconds until it can paint."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    began = time.perf_counter()
    page.goto(url)
    page.locator(".go button.strong:enabled").wait_for()
    return page, 1000 * (time.perf_counter() - began)


def time_page(page: Page, seed: int) -> tuple[float, float]:
    """Measure milliseconds to the first pixel and to the whole image."""
    page.get_by_label("Seed", exact=True).fill(str(seed))
    first, whole = page.locator(".go button.strong").evaluate(WATCH)
    page.wait_for_timeout(100)
    return first, whole


if __name__ == "__main__":
    main()
