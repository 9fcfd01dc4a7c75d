"""Compare groups of pixels with raster order, at equal processor time.

    python benchmarks/parallel_multiscale.py [IMAGES] [--preset PRESET] [--seconds SECONDS] [--batch-size SIZE]

IMAGES is any source of `load_data`, for example `cifar10_subset.npz` (32x32 RGB) or `photo_patches64.npz` (64x64 RGB).
Two networks of a preset are trained for as many seconds of processor time each, on one thread: `parallel-multiscale`,
on a base image of about 4x4 pixels, and `gated-pixelcnn`, the network of its base image, on all pixels in raster order.
Printed are the steps in which an image is sampled, bits/dim of the validation images, and the processor time of one
image at batch 1 on the engine of each: the median of the repeats, after one that is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

import pointillist as pt
from pointillist.networks import sampling_passes

PROBE = 20  # steps whose time decides how many fit
REPEATS = 5


def main() -> None:
    """Train both networks, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="?", default="uci-digits")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--likelihood", default="auto")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = pt.load_data(args.images)
    side = max(data.train.spec.height, data.train.spec.width)
    scales = max(1, (side - 1).bit_length() - 2)
    print(f"{args.images}, {side}x{side}, preset {args.preset}, {args.seconds:g} s of one thread each")
    out = []
    for name, settings in (("parallel-multiscale", {"scales": scales}), ("gated-pixelcnn", {})):
        result = measure(name, settings, data, args)
        out.append(result)
        print(
            f"{name:20s} {result['parameters']:>10,} parameters  {result['steps']:6,} steps  "
            f"{result['bits']:.4f} bits/dim  {result['passes']:6,} passes  {result['seconds'] * 1000:8.1f} ms an image"
        )
    ours, raster = out
    print(
        f"parallel over raster: {100 * (ours['bits'] / raster['bits'] - 1):+.2f} % bits/dim, "
        f"{raster['seconds'] / ours['seconds']:.2f}x the speed, {raster['passes'] / ours['passes']:.0f}x fewer passes"
    )


def measure(name: str, settings: dict[str, Any], data: pt.DataSplits, args: argparse.Namespace) -> dict[str, Any]:
    """Train a network as long as its time allows, evaluate it, and sample single images."""
    how = {"image": data.train.spec, "preset": args.preset, "likelihood": args.likelihood}
    # few validation images and no sample sheets: the time is that of the steps
    rare = {"intervals.valid_images": 8, "intervals.evaluate": 10**6, "intervals.sample": 10**6}
    training = {"batch_size": args.batch_size, "seed": 0, "optimizer.lr": args.lr, **rare}
    probe = pt.build(name, **how, **settings)
    pt.train(probe, data, {**training, "steps": 1})  # what happens once is not counted
    started = time.process_time()
    pt.train(probe, data, {**training, "steps": PROBE})
    steps = max(1, round(args.seconds * PROBE / (time.process_time() - started)))
    torch.manual_seed(0)
    model = pt.build(name, **how, **settings)
    pt.train(model, data, {**training, "steps": steps})
    size = model.image.height, model.image.width
    seconds = []
    for seed in range(REPEATS + 1):
        started = time.process_time()
        pt.sample(model, 1, seed=seed, threads=1)
        seconds.append(time.process_time() - started)
    return {
        "parameters": model.num_parameters,
        "steps": steps,
        "bits": pt.evaluate(model, data.valid).bits_per_dim,
        "passes": sampling_passes(model.stages(*size), *size),
        "seconds": statistics.median(seconds[1:]),
    }


if __name__ == "__main__":
    main()
