"""Measure each part of a local gain: `python benchmarks/measure_local_gain.py PHOTOS PATCHES [--steps 150 1200]`.

PHOTOS is the file of `recipes/zoo/prepare_photos.py`, on which the network of the bundled model `photos` is trained
from nothing for so many steps of its crops. PATCHES is `photo_patches64.npz`, whose 216 test patches are scored in
floating point, by one thread. The settings are those of `recipes/zoo/photos.toml`; but in n steps, the decay of the
averaged weights is 1 - 50 / (50 + n). The variants:

- raw: no local gain: levels on [-1, 1], means and scales absolute.
- means: relative to the prediction, in units of a constant gain of 16 levels, in inputs, means and scales.
- gain: scales in units of the local gain, which is an input too; levels and means absolute, in units of 16 levels.
- both: the model as it is.
"""

from __future__ import annotations

import argparse
import math
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import pointillist as pt
from pointillist.nn import local as layers
from pointillist.nn.functional import local_gain
from pointillist.system import describe_machine, today

RECIPE = Path(__file__).parents[1] / "recipes" / "zoo" / "photos.toml"
VARIANTS = ("raw", "means", "gain", "both")
CONSTANT = 4.0
"""log2 of the constant gain: absolute levels on [-128, 128) are in the range of an input."""
AT_ONCE = 8


def constant_gain(near: Tensor, inside: Tensor, levels: int) -> Tensor:
    """Predict as a model does, with a constant gain."""
    result = local_gain.predict(near, inside, levels)
    return torch.cat([result[:, :-1], torch.full_like(result[:, -1:], CONSTANT)], 1)


def absolute(prediction: Tensor) -> Tensor:
    """Return the prediction 0 with a constant gain."""
    return torch.cat([torch.zeros_like(prediction[:, :-1]), torch.full_like(prediction[:, -1:], CONSTANT)], 1)


def absolute_inputs(x: Tensor, inside: Tensor, prediction: Tensor, levels: int) -> Tensor:
    """Return levels in units of a constant gain, and the prediction and the local gain as inputs."""
    relative = local_gain.normalise(x, inside, absolute(prediction), levels)[:, : x.shape[1]]
    extra = local_gain.normalise(x, inside, prediction, levels)[:, x.shape[1] :]
    return torch.cat([relative, extra], 1)


def absolute_means(params: Tensor, prediction: Tensor, levels: int) -> Tensor:
    """Place means in units of a constant gain, and scales in units of the local one."""
    means = local_gain.place(params, absolute(prediction), levels)
    result = local_gain.place(params, prediction, levels)
    channels = prediction.shape[1] - 1
    mixtures = local_gain.num_mixtures(params.shape[1], channels)
    part = slice(mixtures, mixtures * (1 + channels))
    return torch.cat([result[:, : part.start], means[:, part], result[:, part.stop :]], 1)


CHANGES: dict[str, dict[str, Any]] = {
    "means": {"predict": constant_gain},
    "gain": {"normalise": absolute_inputs, "place": absolute_means},
}


@contextmanager
def variant(name: str) -> Iterator[None]:
    """Replace the functions of the layers."""
    changes = CHANGES.get(name, {})
    before = {key: getattr(layers, key) for key in changes}
    try:
        for key, function in changes.items():
            setattr(layers, key, function)
        yield
    finally:
        for key, function in before.items():
            setattr(layers, key, function)


def measure(name: str, steps: int, photos: Path, test: Tensor) -> tuple[float, float, int]:
    """Train a variant; return bits/dim of the test patches, seconds of the processor, and weights."""
    recipe = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
    options = pt.DataOptions(labels=False, group_by="photo")
    splits = pt.load_data(photos, options)
    torch.manual_seed(0)
    settings = {"likelihood": "mixture", "mixtures": recipe["model"]["mixtures"], "local_gain": name != "raw"}
    model = pt.build("pixelcnn", shape=splits.train.spec, **settings, **recipe["model"]["network"])
    average = min(recipe["train"]["optimizer"]["ema"], 1 - 50 / (50 + steps))
    config = {
        **recipe["train"],
        "steps": steps,
        "optimizer": recipe["train"]["optimizer"] | {"ema": average},
        "intervals": {"evaluate": steps, "save": steps, "sample": steps, "valid_images": 100},
    }
    started = time.process_time()
    with variant(name):
        pt.train(model, splits, config)
        seconds = time.process_time() - started
        with torch.no_grad():
            nats = sum(-float(model.log_prob(part).sum()) for part in test.split(AT_ONCE))
    return nats / math.log(2) / test.numel(), seconds, model.num_parameters()


def main() -> None:
    """Measure every variant and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("patches", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", default=[150, 1200])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(arguments.patches) as data:
        test = torch.from_numpy(data["x_test"].transpose(0, 3, 1, 2).astype(np.int64))
    print(f"{len(test)} test patches; {today()}, {describe_machine()}, seed 0")
    print("| inputs and outputs | weights | steps | processor seconds | bits/dim |\n|---|---|---|---|---|")
    for steps in arguments.steps:
        for name in VARIANTS:
            bits, seconds, weights = measure(name, steps, arguments.photos, test)
            print(f"| {name} | {weights:,} | {steps:,} | {seconds:.0f} | {bits:.3f} |", flush=True)


if __name__ == "__main__":
    main()
