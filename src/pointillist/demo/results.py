"""Results of a demo: plain numbers, written to `results.json` and shown on the page."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from pointillist.evaluation.likelihood import Evaluation

SAME = "equal log-likelihoods, to the bit"
NOT_SAME = "DIFFERENT log-likelihoods: please report this"


@dataclass(frozen=True)
class ClassBits:
    """Bits/dim of the `count` test images of one class, with the 95 % interval."""

    name: str
    count: int
    bits_per_dim: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class CrossCheck:
    """Comparison of two engines on the same random numbers.

    Attributes:
        images: number of images that each sampled.
        equal: True if all levels agree.
        numpy_seconds: time of the numpy engine, recording included.
        naive_seconds: time with a full forward for every pixel.
    """

    images: int
    equal: bool
    numpy_seconds: float
    naive_seconds: float


@dataclass(frozen=True)
class DemoResults:
    """Results of a demo.

    Attributes:
        seed, steps, batch_size: settings of the training.
        model_type, parameters: type and number of parameters of the model.
        train_images, valid_images, test_images: sizes of the splits.
        levels, height, width: kind of image.
        bits_per_dim, interval, nats: results of `evaluate` on the test split.
        valid_bits_per_dim: the best validation result during training.
        uniform_bits, frequency_bits: bits/dim of the test split under two baselines: equally likely levels, and
            independent pixels with the level frequencies of the training split at each pixel position.
        per_class: bits/dim of each class.
        cross_check: comparison of two engines.
        reloaded_equal: True if the model loaded from disk has the same log-likelihoods, to the bit.
        training_seconds: training time, summed over interruptions.
        machine, threads, versions, date, command: hardware, software, date, and the command that reproduces it.
    """

    seed: int
    steps: int
    batch_size: int
    model_type: str
    parameters: int
    train_images: int
    valid_images: int
    test_images: int
    levels: int
    height: int
    width: int
    bits_per_dim: float
    interval: tuple[float, float]
    nats: float
    valid_bits_per_dim: float
    uniform_bits: float
    frequency_bits: float
    per_class: tuple[ClassBits, ...]
    cross_check: CrossCheck
    reloaded_equal: bool
    training_seconds: float
    machine: str
    threads: int
    versions: str
    date: str
    command: str

    def to_json(self) -> str:
        """Return the results as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def score_classes(evaluation: Evaluation, labels: np.ndarray, classes: tuple[str, ...]) -> tuple[ClassBits, ...]:
    """Split an evaluation by class; classes without an image are left out."""
    out = []
    for number, name in enumerate(classes):
        part_nats = evaluation.nats_per_image[labels == number]
        if len(part_nats):
            part = Evaluation.of(part_nats, evaluation.dims)
            out.append(ClassBits(name, part.count, part.bits_per_dim, part.interval))
    return tuple(out)


def frequency_bits(train: np.ndarray, test: np.ndarray, levels: int) -> float:
    """Compute bits/dim of `test` under the level frequencies of each pixel in `train`, with one added to every count.

    Args:
        train, test: integers `n c h w` in [0, levels).
    """
    counts = np.stack([(train == level).sum(0) for level in range(levels)], -1) + 1.0
    bits = -np.log2(counts / counts.sum(-1, keepdims=True))
    picked = np.take_along_axis(np.broadcast_to(bits, (*test.shape, levels)), test[..., None], -1)
    return float(picked.mean())
