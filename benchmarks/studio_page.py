"""Latency of the studio's page and of exported pages: from the click to the first pixel, and to the whole image.

    python benchmarks/studio_page.py MODEL [--exported] [--times 11]

The page runs in Chromium at live speed; the same image is sampled by `pointillist.sample` in this process, which opens
its engine anew each time, like the command line. Of an exported page, which is a file without a server, the time until
it can paint is measured too, in a browser that has not seen it. Times are medians in milliseconds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

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
    parser.add_argument("--times", type=int, default=11)
    args = parser.parse_args()
    model = pt.load(args.model)
    open_times, page_times, sample_times = [], [], []
    with address(args.model, args.exported) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
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
