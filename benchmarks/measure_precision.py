"""Training in float32 and bf16 beside the textbook network: `python benchmarks/measure_precision.py [MODEL ...]`.

The figures behind `training/precision.py`: images/s of batch 16, one thread, and the ratio of bf16 to float32 in the
same rounds. 28x28 and 8x8 grey images.
"""

from __future__ import annotations

import sys

import torch

import pointillist as pt
from pointillist.networks import entry, names
from pointillist.system import single_threaded
from speed.timing import Case, cpu_time, interleave
from speed.training import VARIANTS, StepRunner

BATCH, REPEATS = 16, 7


def measure(name: str, preset: str, size: int, levels: int) -> str:
    """A line of the table."""
    torch.manual_seed(0)
    model = pt.build(name, shape=(1, size, size), levels=levels, preset=preset)
    x = torch.randint(0, levels, (BATCH, 1, size, size))
    cases: dict[str, Case] = {}
    for variant in (VARIANTS[0], VARIANTS[3], VARIANTS[4]):
        step = StepRunner(model, variant, x)
        step()
        step()
        cases[variant.name] = lambda s=step: cpu_time(s)  # type: ignore[misc]
    textbook, full, half = interleave(cases, REPEATS).values()
    speeds = " ".join(f"{BATCH / times.median_range.median:8,.1f}" for times in (textbook, full, half))
    ratio = full.ratio_to(half)
    return (
        f"{name:24} {preset:6} {size:3} {speeds}   bf16/fp32 {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    )


if __name__ == "__main__":
    print(f"{'model':24} {'preset':6} {'':3} {'textbook':>8} {'fp32':>8} {'bf16':>8}   images/s")
    with single_threaded():
        for chosen in sys.argv[1:] or names():
            for size, preset in ((28, "tiny"), (28, "small"), (8, "tiny"), (8, "small")):
                if preset in entry(chosen).presets:
                    print(measure(chosen, preset, size, 256 if size == 28 else 17), flush=True)
