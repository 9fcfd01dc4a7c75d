"""How soon the studio's page shows a painting: from the click to the first pixel, and to the whole image.

    python benchmarks/studio_page.py MODEL [--times 11]

The page runs in Chromium, live; beside it the same image by `pointillist.sample` in this process, which opens its
engine anew each time, as the command line does. Medians of milliseconds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time

from playwright.sync_api import Page, sync_playwright

import pointillist as pt
from pointillist.studio.room import Room
from pointillist.studio.server import Server

# what the page shows, frame by frame, from the moment of the click
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
    asked = parser.parse_args()
    room = Room([asked.model])
    server = Server(room)
    server.start()
    room.shelf.wait()
    model = pt.load(asked.model)
    shown = []
    alone = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(server.url)
        page.locator(".go button:enabled").wait_for()
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        for seed in range(asked.times):  # in turn, so that both meet the same machine
            shown.append(painted(page, seed))
            began = time.perf_counter()
            pt.sample(model, 1, seed=seed)
            alone.append(1000 * (time.perf_counter() - began))
        browser.close()
    server.close()
    first, whole = (statistics.median(column) for column in zip(*shown, strict=True))
    sampled = statistics.median(alone)
    print(f"click to first pixel {first:.0f} ms, to the whole image {whole:.0f} ms; sample {sampled:.0f} ms")


def painted(page: Page, seed: int) -> tuple[float, float]:
    """Milliseconds to the first pixel and to the whole."""
    page.get_by_label("Seed", exact=True).fill(str(seed))
    first, whole = page.locator(".go button").evaluate(WATCH)
    page.wait_for_timeout(100)
    return first, whole


if __name__ == "__main__":
    main()
