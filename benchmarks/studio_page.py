"""Latency of the studio's page: from the click to the first pixel, and to the whole image.

    python benchmarks/studio_page.py MODEL [--times 11]

The page runs in Chromium at live speed; the same image is sampled by `pointillist.sample` in this process, which opens
its engine anew each time, like the command line. Times are medians in milliseconds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time

from playwright.sync_api import Page, sync_playwright

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
    parser.add_argument("--times", type=int, default=11)
    args = parser.parse_args()
    service = StudioService([args.model])
    server = Server(service)
    server.start()
    service.models.wait()
    model = pt.load(args.model)
    page_times = []
    sample_times = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(server.url)
        page.locator(".go button.strong:enabled").wait_for()
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        for seed in range(args.times):  # alternating, so that both run under the same conditions
            page_times.append(time_page(page, seed))
            began = time.perf_counter()
            pt.sample(model, 1, seed=seed)
            sample_times.append(1000 * (time.perf_counter() - began))
        browser.close()
    server.close()
    first, whole = (statistics.median(column) for column in zip(*page_times, strict=True))
    sampled = statistics.median(sample_times)
    print(f"click to first pixel {first:.0f} ms, to the whole image {whole:.0f} ms; sample {sampled:.0f} ms")


def time_page(page: Page, seed: int) -> tuple[float, float]:
    """Measure milliseconds to the first pixel and to the whole image."""
    page.get_by_label("Seed", exact=True).fill(str(seed))
    first, whole = page.locator(".go button.strong").evaluate(WATCH)
    page.wait_for_timeout(100)
    return first, whole


if __name__ == "__main__":
    main()
