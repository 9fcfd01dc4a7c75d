"""What integers cost with each kind of condition, and in two factors.

    python benchmarks/measure_integer_kinds.py [WORD ...]

Each row is a training of preset tiny on the built-in digits (8x8, 17 levels), on one thread, for two seeds: test
bits/dim in floating point under the conditions of each image, and the bits/dim of the integer program less those.
Attributes, vectors and captions are made of the digit and of the image: its parity and size, the means of its quarters,
and words. Codes are blocks of 2x2 pixels of 9 levels, so 6,561 unordered ones on a grid of 4x4. Words choose rows. The
table of docs/decisions, 0067, is what is printed.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.data import Annotations, DataSplits, ImageDataset
from pointillist.images import ImageSpec

STEPS, SEEDS = 60, (0, 1)
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "attributes": ("gated-pixelcnn", {"attributes": {"parity": ("even", "odd"), "size": ("small", "large")}}),
    "vector": ("gated-pixelcnn", {"vector": 4}),
    "text, words and tokens": ("gated-pixelcnn", {"text": "learned+tokens"}),
    "factored, 17 levels": ("gated-pixelcnn", {"likelihood": "factored"}),
    "factored, 6,561 codes": ("pixelcnn", {"likelihood": "factored", "mixtures": 4}),
}


def annotated(images: ImageDataset) -> ImageDataset:
    """Return digits with labels, attributes, a vector and a caption each."""
    batch = images.batch(range(len(images)))
    x, labels = batch.levels, batch.labels
    quarters = x.reshape(len(x), 2, 4, 2, 4).mean((2, 4)).reshape(len(x), 4).astype(np.float32) / 8 - 1
    large = (x > 0).mean((1, 2, 3)) > 0.5
    attributes = {"parity": labels % 2, "size": large.astype(np.int64)}
    values = {"parity": ("even", "odd"), "size": ("small", "large")}
    texts = [f"a {'large' if size else 'small'} {NAMES[label]}" for size, label in zip(large, labels, strict=True)]
    more = Annotations(attributes, values, quarters)
    return ImageDataset(x, images.spec, labels=labels, texts=texts, classes=images.classes, annotations=more)


def codes(images: ImageDataset) -> ImageDataset:
    """Return a code of each block of 2x2 pixels, of 9 levels each."""
    x = images.batch(range(len(images))).levels[:, 0] // 2
    blocks = x.reshape(len(x), 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(len(x), 4, 4, 4)
    spec = ImageSpec(channels=1, height=4, width=4, levels=9**4, mode="codes", ordered=False)
    return ImageDataset((blocks * 9 ** np.arange(4)).sum(3)[:, None], spec)


def measured(network: str, settings: dict[str, Any], data: DataSplits, seed: int) -> tuple[float, float]:
    """Train; return bits/dim in floating point on test images, and what the integers cost there."""
    torch.manual_seed(seed)
    model = pt.build(network, shape=data.train.spec, preset="tiny", **settings)
    pt.train(model, data, {"steps": STEPS, "seed": seed, "machine.threads": 1, "machine.precision": "fp32"})
    floats, integers = (pt.evaluate(model, data.test, engine=engine).bits_per_dim for engine in ("torch", "integer"))
    return floats, integers - floats


def main() -> None:
    """Print a line for each row, as soon as it is measured."""
    torch.set_num_threads(1)
    digits = pt.load_data("uci-digits")
    for name, (network, settings) in ROWS.items():
        if all(word in name for word in sys.argv[1:]):
            change = codes if "codes" in name else annotated
            data = DataSplits(*(change(images) for images in (digits.train, digits.valid, digits.test)))
            rows = np.array([measured(network, settings, data, seed) for seed in SEEDS])
            columns = [" ".join(f"{value:.4f}" for value in column) for column in rows.T]
            print(f"| {name} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
