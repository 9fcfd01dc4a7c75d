"""Measure the wall time of every command, and write `docs/evidence/timings.md`: `python tools/make_timings.py`."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pointillist.system import processor

RUNS = 5
PAGE = Path(__file__).parents[1] / "docs" / "evidence" / "timings.md"


def seconds(command: list[str], folder: str) -> float:
    """Measure the wall time of one process, in seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - started


def main() -> None:
    """Train a small model once, then time the commands that use it."""
    python = [sys.executable]
    tool = [*python, "-m", "pointillist"]
    with tempfile.TemporaryDirectory() as folder:
        train = [*tool, "train", "uci-digits", "--preset", "tiny", "--steps", "100", "--out"]
        rows = [
            ("train uci-digits --preset tiny --steps 100", [seconds([*train, f"run{i}"], folder) for i in range(2)])
        ]
        rest = {
            "(python -c pass)": [*python, "-c", "pass"],
            "(python -c 'import pointillist')": [*python, "-c", "import pointillist"],
            "(python -c 'import torch')": [*python, "-c", "import torch"],
            "--help": [*tool, "--help"],
            "train --help": [*tool, "train", "--help"],
            "models": [*tool, "models"],
            "info run": [*tool, "info", "run0"],
            "evaluate run uci-digits (360 images)": [*tool, "evaluate", "run0", "uci-digits"],
            "sample run -n 1": [*tool, "sample", "run0", "-n", "1", "--force"],
            "sample run -n 80 --label each": [*tool, "sample", "run0", "-n", "8", "--label", "each", "--force"],
        }
        for name, command in rest.items():
            seconds(command, folder)  # a warm-up run fills the file cache
            rows.append((name, [seconds(command, folder) for _ in range(RUNS)]))
    table = "\n".join(f"| `{n}` | {statistics.median(t):.2f} | {min(t):.2f} to {max(t):.2f} |" for n, t in rows)
    PAGE.write_text(
        "# Time of each command\n\n"
        f"Median and range of {RUNS} runs (2 for `train`) after a warm-up: whole processes, one thread, 8x8 digits.\n"
        f"{datetime.date.today().isoformat()}, {processor()}, Python {platform.python_version()}. Made by\n"
        "`python tools/make_timings.py`. Rows in brackets are Python and torch alone.\n\n"
        f"| `pointillist` ... | seconds | range |\n|---|---|---|\n{table}\n",
        encoding="utf-8",
    )
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
