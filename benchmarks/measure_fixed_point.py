"""Measure engine `jacobi`: passes over a row, and its speed beside the other engines where the model is.

    python benchmarks/measure_fixed_point.py [MODEL] [DEVICE] [REPEATS]

Every engine samples the same images from the same seeds; the median of the repeats is printed, after one that is not
counted. Images are compared, and seconds are those of the clock.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

import pointillist as pt


def main() -> None:
    """Print a line for each batch size and engine."""
    name, device, repeats = (*sys.argv[1:], *("digits", "cpu", "3")[len(sys.argv) - 1 :])[:3]
    model = pt.load(name).to(device)
    height, width = model.image.height, model.image.width
    print(f"{name}, {height}x{width}, device {device}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    for batch in (1, 16):
        reference: torch.Tensor | None = None
        for engine in ("cuda" if device == "cuda" else "cpu", "numpy", "jacobi"):
            seconds, passes = [], []
            for seed in range(int(repeats) + 1):
                started = time.perf_counter()
                result = pt.sample(model, batch, seed=seed, engine=engine, threads=1, batch_size=batch)
                seconds.append(time.perf_counter() - started)
                passes.append(result.passes or height * width)
            reference = result.levels if reference is None else reference
            same = int((reference == result.levels).flatten(1).all(1).sum())
            per_row = statistics.mean(passes[1:]) / height
            print(
                f"batch {batch:2d}  {engine:12s}  {statistics.median(seconds[1:]):7.3f} s  {per_row:5.1f} steps a row, "
                f"{per_row / width:.2f} of the width; {same} of {batch} images as the first engine"
            )


if __name__ == "__main__":
    main()
