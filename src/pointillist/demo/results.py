"""What a demo found out: plain numbers, written to `results.json` and shown on the page."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from pointillist.evaluation.likelihood import Evaluation

SAME = "the same log-likelihoods, to the bit"
NOT_SAME = "NOT the same log-likelihoods: please report this"


@dataclass(frozen=True)
class ClassBits:
    """The score of one class: bits/dim of its `count` test images with the 95 % interval."""

    name: str
    count: int
    bits_per_dim: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class CrossCheck:
    """Two samplers given the same random numbers.

    Attributes:
        images: how many each has painted.
        equal: whether all their levels agree.
        step_seconds: of the recorded program, site by site; the recording is included.
        naive_seconds: of a full forward for every pixel.
    """

    images: int
    equal: bool
    step_seconds: float
    naive_seconds: float

    @property
    def times_faster(self) -> float:
        """Naive time over step time."""
        return self.naive_seconds / max(self.step_seconds, 1e-9)


@dataclass(frozen=True)
class DemoResults:
    """The numbers of a demo.

    Attributes:
        seed, steps, batch_size: of the training.
        model_type, parameters: of the model.
        train_images, valid_images, test_images: how the data set was split.
        levels, height, width: of an image.
        bits_per_dim, interval, nats: of the test part, as `evaluate` gives them.
        valid_bits_per_dim: the best during training.
        uniform_bits, frequency_bits: bits/dim of the test part if every level were equally likely, and if each
            pixel were drawn by itself as often as seen at its place in training.
        per_class: the score of each class.
        cross_check: two samplers compared.
        reloaded_equal: whether the model read back from disk gives the same log-likelihoods, to the bit.
        training_seconds: of all sittings, if the run was interrupted.
        machine, threads, versions, date, command: where, with what, when, and how to do it again.
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
        """The numbers as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def score_classes(evaluation: Evaluation, labels: np.ndarray, classes: tuple[str, ...]) -> tuple[ClassBits, ...]:
    """An evaluation, class by class; classes without an image are left out."""
    out = []
    for number, name in enumerate(classes):
        mine = evaluation.per_image[labels == number]
        if len(mine):
            part = Evaluation.of(mine, evaluation.dims)
            out.append(ClassBits(name, part.count, part.bits_per_dim, part.interval))
    return tuple(out)


def frequency_bits(train: np.ndarray, test: np.ndarray, levels: int) -> float:
    """Bits/dim of `test` under the frequencies of each pixel's levels in `train`, every count raised by one."""
    counts = np.stack([(train == level).sum(0) for level in range(levels)], -1) + 1.0
    bits = -np.log2(counts / counts.sum(-1, keepdims=True))
    picked = np.take_along_axis(np.broadcast_to(bits, (*test.shape, levels)), test[..., None], -1)
    return float(picked.mean())
