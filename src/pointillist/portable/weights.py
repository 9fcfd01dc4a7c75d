"""Weights of the encoders of an integer model: float32, or int8 with a scale for each output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.checkpoint.header import SCALE_SUFFIX

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """Arrays by name.

    ```python
    weights = StoredWeights({"out.weight": np.ones((2, 3), np.float32)})
    weights["out.weight"].shape  # (2, 3)
    ```

    Attributes:
        arrays: float32, or int8 `[outputs, ...]` with the scale of each output, `NAME_scale`.
    """

    arrays: Mapping[str, Array]
    _decoded: dict[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Decode a weight; int8 times scale is exact in float32."""
        if name not in self._decoded:
            array = self.arrays[name].astype(np.float32)
            scale = self.arrays.get(name + SCALE_SUFFIX)
            shape = (-1, *[1] * (array.ndim - 1))
            self._decoded[name] = array if scale is None else array * scale.reshape(shape)
        return self._decoded[name]
