"""Read images batch by batch, with their conditions: a data set with its own conditions, or an array of levels."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label
from pointillist.data import ImageDataset
from pointillist.errors import DataError, ShapeError
from pointillist.model.dataset_conditions import DatasetConditions
from pointillist.model.pixel_model import PixelModel


class BatchReader:
    """Levels and conditions of images `start .. stop`, for one model.

    Args:
        model: the model that reads the images.
        x: a data set, or levels `[n c h w]`. A data set has its own conditions, matched by name.
        label, text, further: conditions of levels, or instead of those of the data set; see `ModelConditions.inputs`.
        seed: seed of dynamic binarisation.

    Attributes:
        count: number of images.
        height, width: size of an image.
        notes: notes on how the data set was read.

    Raises:
        ShapeError, DataError, ConfigError: if the images or conditions do not fit the model.

    Example:
        reader = BatchReader(model, data)
        x, inputs = reader.read(0, 64)
    """

    def __init__(
        self,
        model: PixelModel,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        seed: int = 0,
        **further: Unpack[ConditionKwargs],
    ) -> None:
        self._model, self._seed = model, seed
        self._data: ImageDataset | None = None
        self.notes: tuple[str, ...] = ()
        if isinstance(x, ImageDataset):
            check_spec(model, x)
            self._data, self._conditions, self.notes = x, DatasetConditions(model, x), x.notes
            self.count, self.height, self.width = len(x), x.spec.height, x.spec.width
        else:
            self._levels = torch.as_tensor(x)
            if self._levels.ndim != 4:
                raise ShapeError(f"Levels of shape {tuple(self._levels.shape)} must be (n, c, h, w).")
            self.count, _, self.height, self.width = self._levels.shape
        given = {name for name, value in {"label": label, "text": text, **further}.items() if value is not None}
        self._given = {name for name, encoder in model.conditions.encoders.items() if encoder.keyword in given}
        count = self.count if self._data is None or given else 0  # a map for every image would take memory
        self._inputs = model.conditions.inputs(label, count, text, size=(self.height, self.width), **further)

    def read(self, start: int, stop: int) -> tuple[Int[Tensor, "b c h w"], ConditionInputs]:
        """Return levels, checked by the model, and conditions of images `start .. stop`."""
        index = np.arange(start, min(stop, self.count))
        if self._data is None:
            return self._model.check(self._levels[start:stop]), self._inputs[index]
        batch = self._data.batch(index, seed=self._seed)
        own = self._conditions(batch)
        given = self._inputs[index] if self._given else own
        parts = {name: (given if name in self._given else own).parts[name] for name in self._inputs.parts}
        return self._model.check(batch.levels), ConditionInputs(len(index), parts)


def check_spec(model: PixelModel, data: ImageDataset) -> None:
    """Check that the integers of a data set mean the same as the model's.

    Raises:
        DataError: naming what differs and the option that corrects it.
    """
    ours, theirs = model.image, data.spec
    for name, option in (
        ("channels", "--mode"),
        ("levels", "--levels"),
        ("ordered", "--categorical-levels"),
        ("palette", "--palette"),
    ):
        a, b = getattr(ours, name), getattr(theirs, name)
        if a != b:
            shown = f"{name} {b} where the model has {a}" if name != "palette" else "another palette than the model"
            raise DataError(f"{data.name} has {shown}: read it with `{option}` to match.")
    model.check_size(theirs.height, theirs.width)
