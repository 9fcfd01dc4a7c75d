"""The engine `exact`: sample from the integer model of a pixel model. The nats are those of the integer model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pointillist.engine.batch import SampleBatch
from pointillist.errors import EngineError
from pointillist.exact.executors import ExactSteps, open_steps
from pointillist.exact.model import ExactModel
from pointillist.exact.program import IntArray
from pointillist.exact.sampler import sample_batch
from pointillist.exact.transforms import DrawTransform
from pointillist.model.exact import condition_features
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import Condition
from pointillist.ordering import PixelOrder


def exact_inputs(
    model: PixelModel, condition: Condition, count: int, order: PixelOrder
) -> tuple[ExactModel, dict[str, IntArray]]:
    """Return the integer model, and a condition in the raster frame of an order as integers.

    Raises:
        EngineError: if the model has no exact program of its weights.
    """
    integers = model.exact().integers
    return integers, integers.quantize_inputs(condition_features(condition, count), order)


class ExactEngineStepper:
    """Step through sub-pixels with the methods of `ProgramStepper`.

    Its parameters are those of a categorical (or Bernoulli) distribution: the logarithms of the exact frequencies.
    """

    def __init__(
        self, model: PixelModel, condition: Condition, batch: int, height: int, width: int, order: PixelOrder
    ) -> None:
        exact, inputs = exact_inputs(model, condition, batch, order)
        program = exact.program(order)
        self._steps: ExactSteps = open_steps(program, batch, height, width, inputs, exact.executor)
        self._values = model.level_embeddings().detach().cpu().numpy()
        self._head = program.head

    def params(self) -> np.ndarray:
        """Return parameters `[b, p]` at the current sub-pixel; only its own channel's share is defined."""
        found = np.log(self._steps.frequencies()) - self._head.precision * np.log(2.0)
        own = found[:, 1:] - found[:, :1] if self._head.kind == "bernoulli" else found
        params = np.zeros((len(own), own.shape[1] * self._head.channels))
        first = self._steps.site[2] * own.shape[1]
        params[:, first : first + own.shape[1]] = own
        return params

    def observe(self, values: np.ndarray) -> None:
        """Take the embedded level `[b, e]` of the sub-pixel just chosen, and advance."""
        distance = ((values[:, None] - self._values[None]) ** 2).sum(2)
        self._steps.observe(distance.argmin(1))

    def select(self, indices: np.ndarray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        self._steps.select(indices)

    def save(self) -> Any:
        """Reject what returns to earlier rows.

        Raises:
            EngineError: always.
        """
        raise EngineError("Engine 'exact' cannot return to an earlier row, as rules need: use engine 'cpu'.")

    def restore(self, state: Any) -> None:
        """Reject what returns to earlier rows; see `save`."""
        self.save()


def sample_exact_stage(
    model: PixelModel,
    condition: Condition,
    batch: SampleBatch,
    transform: DrawTransform,
    order: PixelOrder,
    on_row: Callable[[int], None],
    threads: int = 1,
) -> None:
    """Fill in the unknown sub-pixels of a batch by inverse CDF.

    Under guidance the condition holds every image twice.
    """
    count = len(batch.levels) * (1 + transform.guided)
    exact, inputs = exact_inputs(model, condition, count, order)
    sample_batch(
        exact.program(order), inputs, batch, transform, on_row=on_row, threads=threads, executor=exact.executor
    )  # fmt: skip
