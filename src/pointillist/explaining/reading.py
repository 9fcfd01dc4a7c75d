"""Many images put before a model, batch by batch: a data set with its own labels, or levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import resolve_labels
from pointillist.conditioning.label import Label
from pointillist.data import ImageDataset
from pointillist.errors import ShapeError
from pointillist.pixel_model import PixelModel
from pointillist.receptive import channel_names
from pointillist.scoring import check_spec, match_labels


class Batches:
    """Images of one size.

    Raises:
        ShapeError, DataError, ConfigError: if the model does not take them.
    """

    def __init__(self, model: PixelModel, x: Any, label: Label = None, *, seed: int = 0) -> None:
        self.model, self._seed = model, seed
        self.names = channel_names(model)
        if isinstance(x, ImageDataset):
            check_spec(model, x)
            self._data: ImageDataset | Tensor = x
            self.count, (self.height, self.width) = len(x), (x.spec.height, x.spec.width)
            self._labels = match_labels(model, x) if label is None else resolve_labels(label, _classes(model), len(x))
        else:
            levels = torch.as_tensor(x)
            if levels.ndim != 4:
                raise ShapeError(f"Levels of shape {tuple(levels.shape)} must be (n, c, h, w).")
            self._data = levels
            self.count, _, self.height, self.width = levels.shape
            self._labels = resolve_labels(label, _classes(model), len(levels))

    def outputs(self, start: int, stop: int) -> tuple[Int[Tensor, "b c h w"], Float[Tensor, "b p h w"]]:
        """Levels of some images, checked, and the network's outputs for them."""
        stop = min(stop, self.count)
        if isinstance(self._data, ImageDataset):
            x = self._data.batch(np.arange(start, stop), seed=self._seed).levels
        else:
            x = self._data[start:stop]
        x = self.model.check(x)
        told = self._labels[start:stop] if _classes(self.model) else None
        return x, self.model.params(x, self.model.told(told, len(x)))


def _classes(model: PixelModel) -> tuple[str, ...]:
    return model.config.classes
