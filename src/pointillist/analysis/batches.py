"""Outputs of a model for many images, batch by batch: a data set with its own conditions, or levels."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.analysis.query import QueryKwargs
from pointillist.conditioning import ConditionKwargs, Label
from pointillist.data import ImageDataset
from pointillist.errors import ShapeError
from pointillist.evaluation.likelihood import check_spec
from pointillist.model.dataset_conditions import DatasetConditions
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
        self._model, self._seed, self._order = model, seed, model.order(order)
        self._data: ImageDataset | None = None
        if isinstance(x, ImageDataset):
            check_spec(model, x)
            self._data, self._dataset_conditions = x, DatasetConditions(model, x)
            self.count, self.height, self.width = len(x), x.spec.height, x.spec.width
            return
        self._levels = torch.as_tensor(x)
        if self._levels.ndim != 4:
            raise ShapeError(f"Levels of shape {tuple(self._levels.shape)} must be (n, c, h, w).")
        self.count, _, self.height, self.width = self._levels.shape
        self._conditions = model.told(label, self.count, text, size=(self.height, self.width), **conditions)

    def outputs(self, start: int, stop: int) -> tuple[Int[Tensor, "b c h w"], Float[Tensor, "b p h w"]]:
        """Return the levels of images `start .. stop`, checked, and the network's outputs for them."""
        index = np.arange(start, min(stop, self.count))
        if self._data is not None:
            batch = self._data.batch(index, seed=self._seed)
            levels, conditions = batch.levels, self._dataset_conditions(index, batch)
        else:
            levels, conditions = self._levels[start:stop], self._conditions[index]
        x = self._model.check(levels)
        return x, self._model.params(x, self._model.condition(conditions, len(x)), self._order)
