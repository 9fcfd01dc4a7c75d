"""The integer program with which a training ends, what it costs, and the programs that draw the sheets of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from pointillist.analysis.evaluation.likelihood import negative_log_likelihoods
from pointillist.data import DataSplits, ImageDataset
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.engine.weights import inference_mode
from pointillist.errors import EngineError, clause
from pointillist.files.progress import Bar
from pointillist.model.batches import BatchReader
from pointillist.model.integer_cost import IntegerCost
from pointillist.model.pixel_model import PixelModel
from pointillist.model.quantize_integer import make_integer_model, spread

SampleWriter = Callable[[PixelModel, Path, int], None]
"""A function that writes a sample sheet of a model to a folder, at a step."""

MAX_COST = 0.02
"""Bits/dim up to which a trained model computes in integers by default: docs/decisions, 0069."""
IMAGES, SUB_PIXELS = 256, 200_000
"""Images, and sub-pixels, on which the cost is measured at most.

Both likelihoods are computed on the same images, so that their difference varies little: docs/decisions, 0069.
"""
CALIBRATION_IMAGES, CALIBRATION_SUB_PIXELS = 64, 2**19
"""Images of a calibration, and sub-pixels from which on fewer are taken, such as 10 of 128x128 in colour."""
SHEET_IMAGES = 8
"""Images of the calibration for a sheet, and of any calibration at least."""
SHOWN_SECONDS = 2.0
"""Seconds from which on the time is worth a word."""


@dataclass(frozen=True)
class TrainedIntegers:
    """The integer program of a trained model, or the reason that there is none.

    Attributes:
        cost: what the program costs; None if there is none.
        obstacle: the sentence that says why none could be made; empty otherwise.
        seconds: time that making and measuring it took.
    """

    cost: IntegerCost | None
    obstacle: str
    seconds: float

    @property
    def why_floats(self) -> str:
        """A clause that says why floating point is the default; empty if the integer program is."""
        return clause(self.obstacle) if self.cost is None else self.cost.why_floats

    def __str__(self) -> str:
        if self.cost is None:
            return f"none, so the model samples and scores in floating point: {clause(self.obstacle)}"
        took = f" ({self.seconds:.0f} s)" if self.seconds > SHOWN_SECONDS else ""
        if self.cost.is_default:
            return f"cost {self.cost}{took}"
        return (
            f"cost {self.cost}{took}, more than {MAX_COST}, so floating point stays the default: `--engine integer` "
            "asks for integers, and fine-tuning with `--quantization-aware` lowers their cost"
        )


def add_integer_program(model: PixelModel, splits: DataSplits, accelerator: Accelerator) -> TrainedIntegers:
    """Make the integer program of a trained model on the main process, and attach it on every process with its cost.

    A model that cannot be exact stays as it is.
    """
    started = time.perf_counter()
    outcome: list[Any] = [None, None, ""]
    if accelerator.is_main_process:
        outcome = _make(model, splits)
    broadcast_object_list(outcome)
    integer_model, cost, obstacle = outcome
    if integer_model is not None:
        model.attach_integer_model(integer_model, cost)
    return TrainedIntegers(cost, obstacle, time.perf_counter() - started)


def _make(model: PixelModel, splits: DataSplits) -> list[Any]:
    """Return the integer model, its cost, and the sentence that says why there are none."""
    with Bar("integer program", 2) as bar:
        try:
            fitting = max(SHEET_IMAGES, CALIBRATION_SUB_PIXELS // splits.get("train").spec.dims)
            integer_model = make_integer_model(model, splits, images=min(CALIBRATION_IMAGES, fitting))
        except EngineError as error:
            return [None, None, str(error)]
        bar.show(1)
        model.attach_integer_model(integer_model)
        return [integer_model, measure_cost(model, splits), ""]


def measure_cost(model: PixelModel, data: DataSplits, *, is_default: bool | None = None) -> IntegerCost:
    """Measure what the integer program of a model costs, on validation images, or on training images without them.

    ```python
    measure_cost(pt.load("digits"), pt.load_data("mnist"))
    ```

    Args:
        is_default: whether `auto` takes the program; None if it costs at most `MAX_COST`.
    """
    valid = data.valid is not None and len(data.valid) > 0
    reader = BatchReader(model, data.valid if valid else data.train)
    scorers = model, model.integer_model((reader.height, reader.width))
    dims = model.image.channels * reader.height * reader.width
    nats: list[np.ndarray] = []
    with inference_mode(model):
        for levels, inputs in spread(reader, max(1, min(IMAGES, SUB_PIXELS // dims))):
            both = [negative_log_likelihoods(scorer, levels, inputs, [model.order()])[0] for scorer in scorers]
            nats.append(both[1] - both[0])
    differences = np.concatenate(nats)
    bits = float(bits_per_dim(differences.mean(), dims))
    default = bits <= MAX_COST if is_default is None else is_default
    return IntegerCost(bits, len(differences), "valid" if valid else "train", default)


def write_by_program(write: SampleWriter, model: PixelModel, images: ImageDataset, folder: Path, step: int) -> None:
    """Let a function write a sheet by an integer program of the model as it is now, if one can be made.

    Args:
        images: training images, for the calibration.
    """
    with suppress(EngineError):
        model.attach_integer_model(make_integer_model(model, images, images=SHEET_IMAGES))
    try:
        write(model, folder, step)
    finally:
        model.attach_integer_model(None)
