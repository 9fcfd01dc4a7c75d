"""Measure batch jobs: two processes over one, and the overhead over the plain command.

    python benchmarks/measure_jobs.py [ROUNDS] [IMAGES]

Seconds of the clock hold for the load of the machine at that moment, so the runs of a round follow each other and their
ratio is taken; of several rounds the median. Seconds of the processor, of all processes, are printed beside them: they
hardly depend on the load, and their ratio is the overhead itself.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH, TASKS = 16, 16


def seconds(*command: str) -> tuple[float, float]:
    """Run a command; return the seconds of the clock and of the processor."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "pointillist", *command], check=True, env=environment, capture_output=True)
    clock, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(images: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Measure the plain command, and the job with one and with two processes."""
    sample = ["digits", "-n", str(images), "--batch-size", str(BATCH), "--seed", "0", "--threads", "1"]
    job = ["jobs", "sample", *sample, "--tasks", str(TASKS)]
    result = {
        "plain": seconds("sample", *sample, "--out", str(folder / "plain.npz")),
        "one": seconds(*job, "--workers", "1", "--out", str(folder / "one")),
        "two": seconds(*job, "--workers", "2", "--out", str(folder / "two")),
    }
    for name in ("one", "two"):
        merge = "jobs", "merge", str(folder / name), "--out", str(folder / f"{name}.npz")
        merged = seconds(*merge)
        assert (folder / f"{name}.npz").read_bytes() == (folder / "plain.npz").read_bytes()
        print(f"merge {merged[0]:.1f} s")
    return result


def main() -> None:
    """Print each round, and the medians of the ratios."""
    given = [int(text) for text in sys.argv[1:3]]
    rounds, images = (*given, *(3, 2000)[len(given) :])
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, {images:,} images of 28x28, {TASKS} tasks")
    ratios: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            result = measure(images, Path(folder))
        print(
            ", ".join(f"{name} {clock:.1f} s ({cpu:.1f} s of the processor)" for name, (clock, cpu) in result.items())
        )
        plain, one, two = result["plain"], result["one"], result["two"]
        ratios.append((one[0] / two[0], one[0] / plain[0] - 1, one[1] / plain[1] - 1))
    speedup, overhead, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"two processes over one: {speedup:.2f}x; overhead over the plain command: {overhead:.1%} ({cpu:.1%} of the "
          "processor)")  # fmt: skip


if __name__ == "__main__":
    main()
