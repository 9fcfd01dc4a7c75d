"""Outputs of a model for many images, batch by batch: a data set with its own conditions, or levels."""

from __future__ import annotations

from typing import Any, Unpack

from jaxtyping import Int, Shaped
from torch import Tensor

from pointillist.analysis.query import QueryKwargs
from pointillist.conditioning import ConditionKwargs, Label
from pointillist.model.batches import BatchReader
from pointillist.model.pixel_model import PixelModel


class BatchQueryKwargs(QueryKwargs, total=False):
    """Conditions on images that are given as levels, and the order: as for `PixelModel.log_prob`."""

    label: Label
    text: Any


class BatchedOutputs:
    """Images of one size, with the conditions of their data set or those given with levels.

    Attributes:
        likelihood: distribution of a pixel, given the outputs.

    Raises:
        ShapeError, DataError, ConfigError: if the model does not take them.
    """

    def __init__(
        self,
        model: PixelModel,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        seed: int = 0,
        order: str | None = None,
        engine: str = "auto",
        **conditions: Unpack[ConditionKwargs],
    ) -> None:
        self._order = model.order(order)
        self._reader = BatchReader(model, x, label, text, seed=seed, **conditions)
        self.count, self.height, self.width = self._reader.count, self._reader.height, self._reader.width
        self._scorer = model.scorer(model.scoring_engine(engine, (self.height, self.width)))
        self.likelihood = self._scorer.likelihood

    def outputs(self, start: int, stop: int) -> tuple[Int[Tensor, "b c h w"], Shaped[Tensor, "b p h w"]]:
        """Return levels of some images, checked, and the parameters of their distributions."""
        x, inputs = self._reader.read(start, stop)
        return x, self._scorer.params(x, self._scorer.encode(inputs, len(x)), self._order)
