"""Time training beside busy processes: by default, where threads are measured, with one thread, and with all of them.

Each run is a process; runs are interleaved, and the speed is the one that the run logs at its last step:

    python benchmarks/measure_threads.py --busy 4 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from pointillist.system import available_cores, describe_machine, describe_versions, today

TRAIN = ["-m", "pointillist", "train", "uci-digits", "--preset", "tiny"]
BUSY = "while True: pass"


def speed(threads: int, steps: int) -> float:
    """Train in another process, and return its images a second; 0 threads are the default."""
    limits = {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    environment = {name: value for name, value in os.environ.items() if name not in limits}
    with tempfile.TemporaryDirectory() as folder:
        options = ["--steps", str(steps), "--threads", str(threads), "--out", f"{folder}/run"]
        subprocess.run([sys.executable, *TRAIN, *options], check=True, capture_output=True, env=environment)
        lines = map(json.loads, Path(folder, "run", "metrics.jsonl").read_text().splitlines())
        return float([line["speed"] for line in lines if "speed" in line][-1])


def main() -> None:
    """Measure, and print medians with their range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, default=4, help="processes that compute meanwhile")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--all", action="store_true", help="also train with all threads, which may take minutes")
    options = parser.parse_args()
    numbers = {"default": 0, "one thread": 1, **({"all threads": available_cores()} if options.all else {})}
    speeds: dict[str, list[float]] = {name: [] for name in numbers}
    with ExitStack() as stack:
        for _ in range(options.busy):
            stack.callback(subprocess.Popen([sys.executable, "-c", BUSY]).kill)
        for _ in range(options.rounds):
            for name, threads in numbers.items():
                speeds[name].append(speed(threads, options.steps))
    print(f"{describe_machine()}; {describe_versions()}; {today()}; {options.busy} busy processes")
    for name, values in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(values, speeds["one thread"], strict=True))
        print(f"{name}: {statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f}) images/s, {ratio:.2f}")


if __name__ == "__main__":
    main()
