"""What the integer program at the end of a training costs: `python benchmarks/measure_integer_cost.py [WORD ...]`.

Each row is a training of preset tiny on the built-in digits (8x8; 1,293 images), on one thread, for two seeds: the
bits/dim of the integer program less those in floating point, on the 144 validation images and on the 360 test images,
which `train` does not see. Rows with a size instead of a likelihood are of networks with random weights: the seconds of
processor time of a program are those of its size, and depend neither on the weights nor on the images. Words choose
rows. All rows take about 15 minutes of an idle core; docs/decisions, 0069, has what is printed.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.data import DataSplits
from pointillist.model.quantize_integer import make_integer_model
from pointillist.training.integers import measure_cost

STEPS, SEEDS = 400, (0, 1)
TRAINED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "gated-pixelcnn, categorical": ("gated-pixelcnn", {}, {}),
    "gated-pixelcnn, mixture": ("gated-pixelcnn", {"likelihood": "mixture"}, {}),
    "gated-pixelcnn, bernoulli, 2 levels": ("gated-pixelcnn", {}, {"binarise": "static", "threshold": 8}),
    "gated-pixelcnn, unordered levels": ("gated-pixelcnn", {}, {"ordered": False}),
    "gated-pixelcnn, completing": ("gated-pixelcnn", {"known": True}, {}),
    "pixelcnn, categorical": ("pixelcnn", {}, {}),
    "pixelcnn-pp, mixture": ("pixelcnn-pp", {"likelihood": "mixture"}, {}),
    "pixelsnail, mixture": ("pixelsnail", {"likelihood": "mixture"}, {}),
    "locally-masked-pixelcnn, categorical": ("locally-masked-pixelcnn", {}, {}),
    "row-lstm, categorical": ("row-lstm", {}, {}),
    "diagonal-bilstm, categorical": ("diagonal-bilstm", {}, {}),
    "multiscale-pixelrnn, categorical": ("multiscale-pixelrnn", {}, {}),
    "parallel-multiscale, categorical": ("parallel-multiscale", {}, {}),
    "parallel-multiscale, mixture": ("parallel-multiscale", {"likelihood": "mixture"}, {}),
    "parallel-multiscale, completing": ("parallel-multiscale", {"known": True, "context": 3}, {}),
}
SIZES: dict[str, tuple[str, tuple[int, int, int], dict[str, Any]]] = {
    "gated-pixelcnn tiny, 8x8": ("gated-pixelcnn", (1, 8, 8), {"preset": "tiny"}),
    "gated-pixelcnn 64 x 12, 28x28": ("gated-pixelcnn", (1, 28, 28), {"channels": 64, "layers": 12}),
    "pixelcnn-pp small, 32x32 RGB": ("pixelcnn-pp", (3, 32, 32), {"preset": "small"}),
    "pixelsnail small, 32x32 RGB": ("pixelsnail", (3, 32, 32), {"preset": "small"}),
    "diagonal-bilstm small, 32x32 RGB": ("diagonal-bilstm", (3, 32, 32), {"preset": "small"}),
    "gated-pixelcnn tiny, 128x128 RGB": ("gated-pixelcnn", (3, 128, 128), {"preset": "tiny"}),
}


def trained(network: str, settings: dict[str, Any], data: DataSplits, seed: int) -> tuple[float, float, float]:
    """Train, and return bits/dim in floating point on test images, and the cost on validation and test images."""
    torch.manual_seed(seed)
    model = pt.build(network, shape=data.train.spec, classes=data.train.classes, preset="tiny", **settings)
    result = pt.train(model, data, {"steps": STEPS, "seed": seed, "machine.threads": 1, "machine.precision": "fp32"})
    if result.integers_cost is None:
        raise SystemExit(f"{network} has no integer program: {result.why_floats}")
    floats, integers = (pt.evaluate(model, data.test, engine=engine).bits_per_dim for engine in ("torch", "integer"))
    return floats, result.integers_cost, integers - floats


def seconds(network: str, shape: tuple[int, int, int], settings: dict[str, Any]) -> tuple[int, float, float]:
    """Return the parameters of a network, and the processor time of its program and of measuring its cost."""
    torch.manual_seed(0)
    model = pt.build(network, shape=shape, levels=256, **settings).eval()
    levels = np.random.default_rng(0).integers(0, 256, (256 if shape[1] < 100 else 64, *shape[1:], shape[0]))
    data = pt.load_data(levels.astype(np.uint8).squeeze(), mode="rgb" if shape[0] == 3 else "grey", levels=256)
    started = time.process_time()
    model.attach_integer_model(make_integer_model(model, data, images=64))
    made = time.process_time()
    measure_cost(model, data)
    return model.num_parameters(), made - started, time.process_time() - made


def main() -> None:
    """Print a line for each row, as soon as it is measured."""
    torch.set_num_threads(1)
    words = sys.argv[1:]
    for name, (network, settings, options) in TRAINED.items():
        if all(word in name for word in words):
            data = pt.load_data("uci-digits", **options)
            rows = np.array([trained(network, settings, data, seed) for seed in SEEDS])
            columns = [" ".join(f"{value:.4f}" for value in column) for column in rows.T]
            print(f"| {name} | {' | '.join(columns)} |", flush=True)
    for name, row in SIZES.items():
        if all(word in name for word in words):
            parameters, making, measuring = seconds(*row)
            print(f"| {name} | {parameters:,} | {making:.1f} | {measuring:.1f} |", flush=True)


if __name__ == "__main__":
    main()
