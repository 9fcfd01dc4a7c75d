"""Measure what exactness costs in bits/dim: the integer model against the model it was made from, on test images.

    python benchmarks/integer_cost.py digits mnist.npz --set levels=16 --images 64

Calibrates on training images, and prints the mean bits/dim of both on the same test images, with the standard error of
the difference.
"""

from __future__ import annotations

import argparse
import math
import time

import torch

import pointillist as pt
from pointillist.data import DataOptions
from pointillist.model.batches import BatchReader


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="how the data is read")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--calibration", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = pt.load(arguments.model)
    options = DataOptions(**dict(pair.split("=", 1) for pair in arguments.set))
    data = pt.load_data(arguments.data, options, spec=model.image)
    started = time.process_time()
    pt.quantize_integer(model, data, images=arguments.calibration)
    print(f"{arguments.model}: made in {time.process_time() - started:.1f} CPU s")
    reader = BatchReader(model, data.test)
    integer_model, scale = model.integer_model(), math.log(2) * model.image.channels * reader.height * reader.width
    for order in (model.order(name) for name in model.config.orders):
        plain, rounded = [], []
        for start in range(0, min(arguments.images, reader.count), 8):
            x, inputs = reader.read(start, min(start + 8, arguments.images))
            with torch.no_grad():
                plain.append(model.log_prob_map_given(x, inputs, order).double().flatten(1).sum(1))
            rounded.append(integer_model.log_prob_map_given(x, inputs, order).flatten(1).sum(1))
        a, b = -torch.cat(plain) / scale, -torch.cat(rounded) / scale
        error = float((b - a).std() / math.sqrt(len(a)))
        print(
            f"{arguments.model} {order.name}, {len(a)} images: {float(a.mean()):.5f} bits/dim, exact "
            f"{float(b.mean()):.5f}, cost {float((b - a).mean()):+.5f} +- {error:.5f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
