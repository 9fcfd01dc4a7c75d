"""Measure how fast each executor scores images under an integer program, as an encoder does; the bits are compared.

    OMP_NUM_THREADS=1 python benchmarks/integer_executors.py

Prints milliseconds an image of the bundled model `digits`, one thread, the least of `--runs` taken in turns: of the
processor, and by the clock, which is what counts on a GPU (`--executors auto cuda`).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from pointillist import integer_model
from pointillist.zoo import ZOO


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="digits")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--executors", nargs="+", default=["auto", "numpy", "torch"])
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = integer_model.load(ZOO / arguments.model)
    shape = (arguments.images, model.channels, model.height, model.width)
    levels, _ = model.sample(np.random.default_rng(0).random(shape))
    due = model.intervals(levels)  # compiles too
    best = dict.fromkeys(arguments.executors, (np.inf, np.inf))
    for _ in range(arguments.runs):
        for name in best:
            clock, processor = time.perf_counter(), time.process_time()
            result = model.intervals(levels, executor=name)
            taken = time.process_time() - processor, time.perf_counter() - clock
            best[name] = tuple(min(pair) for pair in zip(best[name], taken, strict=True))
            assert np.array_equal(result, due), f"{name} gives other bits"
    for name, times in best.items():
        cpu, wall = (seconds / arguments.images * 1000 for seconds in times)
        print(
            f"{arguments.model}, {arguments.images} images, {name}: CPU {cpu:.2f} ms an image, by the clock {wall:.2f}"
        )


if __name__ == "__main__":
    main()
