"""Measure the packages for JavaScript: chunks of an endless map in Node and in Chromium.

    python benchmarks/measure_npm.py --chunks 400

Times are those of `chunk` of the package's `World` by `dungeons`, in milliseconds, without the first 20 chunks: of Node
the median of processor times, of Chromium the median on the clock and the mean of processor times of the page's thread.
Chunks are visited in the order of their phases, so that a call draws one, and compared with those of `pt.World`.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

import pointillist as pt

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import make_npm

SEED, WARM, SIDE = 7, 20, 20
CHROMIUM = os.environ.get("POINTILLIST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
CHUNKS = """
import { World, load } from "./node_modules/pointillist/index.js";
export async function chunks(visits, clock) {
  const address = new URL("./node_modules/@pointillist/dungeons/index.js", import.meta.url);
  const world = new World(await load(address), SEED, { remembered: 2 * visits.length + 200 }), drawn = [], times = [];
  for (const [x, y] of visits) {
    const before = clock();
    drawn.push(await world.chunk(x, y));
    times.push(clock() - before);
  }
  return { drawn: drawn.map((levels) => Array.from(levels)), times };
}
""".replace("SEED", str(SEED))
NODE = """import { chunks } from "./chunks.mjs";
const clock = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
console.log(JSON.stringify(await chunks(VISITS, clock)));"""


Visits = list[tuple[int, int]]


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that prints nothing."""

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def in_node(folder: Path, visits: Visits) -> dict[str, Any]:
    """Draw chunks in Node."""
    script = NODE.replace("VISITS", json.dumps(visits))
    command = ["node", "--input-type=module", "-e", script]
    result: dict[str, Any] = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    return result


def in_chromium(folder: Path, visits: Visits) -> dict[str, Any]:
    """Draw chunks in a page of Chromium, without a bundler."""
    from playwright.sync_api import sync_playwright

    (folder / "index.html").write_text("<!doctype html><title>chunks</title>", encoding="utf-8")
    script = f'import("./chunks.mjs").then(({{ chunks }}) => chunks({json.dumps(visits)}, () => performance.now()))'
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server,
        sync_playwright() as it,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = it.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        metrics = [session.send("Performance.getMetrics")["metrics"]]
        result: dict[str, Any] = json.loads(page.evaluate(f"{script}.then(JSON.stringify)"))
        metrics.append(session.send("Performance.getMetrics")["metrics"])
        browser.close()
        server.shutdown()
    seconds = [{each["name"]: each["value"] for each in taken}.get("ThreadTime", 0.0) for taken in metrics]
    return {**result, "thread_ms": 1000 * (seconds[1] - seconds[0]) / len(visits)}


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=400)
    count = parser.parse_args().chunks
    world = pt.World("dungeons", SEED, remembered=2 * count + 200)
    visits = sorted(((n % SIDE, n // SIDE) for n in range(count)), key=lambda chunk: (chunk[1] % 2, chunk[0] % 2))
    due = [world.chunk(*chunk).ravel().tolist() for chunk in visits]
    result: dict[str, Any] = {"chunks": count}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_npm.write(folder / "node_modules" / "pointillist", make_npm.runtime_package())
        make_npm.write(folder / "node_modules" / "@pointillist" / "dungeons", make_npm.model_package("dungeons"))
        (folder / "chunks.mjs").write_text(CHUNKS, encoding="utf-8")
        for name, draw in (("node", in_node), ("chromium", in_chromium)):
            measured = draw(folder, visits)
            different = sum(levels != expected for levels, expected in zip(measured["drawn"], due, strict=True))
            result[name] = {"median_ms": float(np.median(measured["times"][WARM:])), "different": different}
            if "thread_ms" in measured:
                result[name]["thread_mean_ms"] = measured["thread_ms"]
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
