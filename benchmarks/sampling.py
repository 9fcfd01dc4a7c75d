"""The recorded program against a full forward for every pixel: `python benchmarks/sampling.py [--batch 1 16]`.

Naive is the same weights in the full pass, drawing included, in the faster of the two memory layouts, for the first
pixels of the image; its time is extrapolated to all of them. One thread.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

import pointillist as pt
from pointillist.likelihoods import inverse_cdf
from pointillist.unroll import open_engine

SIDE, PIXELS = 28, 8


def naive_seconds(model: pt.PixelModel, batch: int) -> float:
    """Seconds an image, from the first pixels, drawing included."""
    condition = model.condition(None, batch)
    uniforms = torch.rand(batch)
    times = []
    for layout in (torch.contiguous_format, torch.channels_last):
        model.to(memory_format=layout)  # type: ignore[call-overload]
        walker = open_engine(model, condition, batch, SIDE, SIDE, "naive")
        walker.params()  # warm up
        started = time.perf_counter()
        for _ in range(PIXELS):
            params = torch.from_numpy(walker.params())[:, :, None, None]
            pixel = torch.zeros(batch, 1, 1, 1, dtype=torch.int64)
            levels = inverse_cdf(model.likelihood.conditional(params, pixel, 0)[:, :, 0, 0], uniforms)
            walker.observe(model.level_values().detach().numpy()[levels.numpy()])
        times.append((time.perf_counter() - started) / PIXELS * SIDE * SIDE / batch)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return min(times)


def step_seconds(model: pt.PixelModel, batch: int, repeats: int) -> float:
    """Seconds an image, recording and drawing included; the median of whole batches."""
    times = []
    for seed in range(repeats + 1):
        started = time.perf_counter()
        pt.sample(model, batch, seed=seed, engine="step", batch_size=batch)
        times.append((time.perf_counter() - started) / batch)
    return statistics.median(times[1:])


def main() -> None:
    """Print a line for each batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = pt.build(
        "gated-pixelcnn",
        shape=(1, SIDE, SIDE),
        channels=options.channels,
        layers=options.layers,
        head_channels=options.channels,
    ).eval()
    for batch in options.batch:
        naive, step = naive_seconds(model, batch), step_seconds(model, batch, options.repeats)
        print(f"batch {batch}: naive {1e3 * naive:,.0f}, step {1e3 * step:.1f} ms an image: {naive / step:.0f} times")


if __name__ == "__main__":
    main()
