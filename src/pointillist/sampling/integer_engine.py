"""The engine `integer`: sample from the integer model of a pixel model. The nats are those of the integer model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pointillist.distributions.transform import Transform
from pointillist.engine.batch import SampleBatch
from pointillist.engine.executors import open_steps
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.head.steps import IntegerSteps
from pointillist.engine.program import IntArray
from pointillist.engine.sampler import sample_batch
from pointillist.images.ordering import PixelOrder
from pointillist.model.integer import condition_features
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import Condition
from pointillist.portable.model import IntegerModel


def integer_inputs(
    model: PixelModel, condition: Condition, count: int, order: PixelOrder
) -> tuple[IntegerModel, dict[str, IntArray]]:
    """Return the integer model, and a condition in the raster frame of an order as integers.

    Raises:
        EngineError: if the model has no integer program of its weights.
    """
    integers = model.integer_model().integers
    return integers, integers.quantize_inputs(condition_features(condition, count), order)


class IntegerEngineStepper:
    """Step through sub-pixels with the methods of `ProgramStepper`.

    Its parameters are those of a categorical distribution, channel by channel: the log-probabilities of the levels.
    """

    def __init__(
        self, model: PixelModel, condition: Condition, batch: int, height: int, width: int, order: PixelOrder
    ) -> None:
        integer_model, inputs = integer_inputs(model, condition, batch, order)
        program = integer_model.program(order)
        self._steps: IntegerSteps = open_steps(program, batch, height, width, inputs, integer_model.executor)
        self._values = model.level_embeddings().detach().cpu().numpy()
        self._program = program

    def params(self) -> np.ndarray:
        """Return parameters `[b, p]` at the current sub-pixel; only its own channel's share is defined."""
        result = log_probs(self._steps.frequencies(), self._program.head.precision)
        params = np.zeros((len(result), result.shape[1] * self._program.head.channels))
        first = self._steps.site[2] * result.shape[1]
        params[:, first : first + result.shape[1]] = result
        return params

    def observe(self, values: np.ndarray) -> None:
        """Take the embedded level `[b, e]` of the sub-pixel just chosen, and advance."""
        distance = ((values[:, None] - self._values[None]) ** 2).sum(2)
        self._steps.observe(distance.argmin(1))

    def select(self, indices: np.ndarray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        self._steps.select(indices)

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`."""
        return self._steps.save()

    def restore(self, state: Any) -> None:
        """Return to a saved state."""
        self._steps.restore(state)


def sample_integer_stage(
    model: PixelModel,
    condition: Condition,
    batch: SampleBatch,
    transform: Transform,
    order: PixelOrder,
    on_row: Callable[[int], None],
    threads: int = 1,
) -> None:
    """Fill in the unknown sub-pixels of a batch by inverse CDF.

    Under guidance the condition holds every image twice.
    """
    count = len(batch.levels) * (1 + transform.is_guided)
    integer_model, inputs = integer_inputs(model, condition, count, order)
    sample_batch(
        integer_model.program(order),
        inputs,
        batch,
        transform,
        on_row=on_row,
        threads=threads,
        executor=integer_model.executor,
    )
