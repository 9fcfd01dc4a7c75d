"""Outputs of a model for many images, batch by batch: a data set with its own conditions, or levels."""

from __future__ import annotations

from typing import Any, Unpack

from jaxtyping import Float, Int
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
        **conditions: Unpack[ConditionKwargs],
    ) -> None:
        self._model, self._order = model, model.order(order)
        self._reader = BatchReader(model, x, label, text, seed=seed, **conditions)
        self.count, self.height, self.width = self._reader.count, self._reader.height, self._reader.width

    def outputs(self, start: int, stop: int) -> tuple[Int[Tensor, "b c h w"], Float[Tensor, "b p h w"]]:
        """Return levels of some images, checked, and the network's outputs for them."""
        x, inputs = self._reader.read(start, stop)
        return x, self._model.params(x, self._model.encode(inputs, len(x)), self._order)
