"""Condition encoders: from what a user gives, or a batch of a data set, to features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning.inputs import ConditionInputs, MaskedValue
from pointillist.data import Batch
from pointillist.nn import Condition, ConditionDims, Tokens


class ConditionEncoder(nn.Module):
    """Encoder of one condition that may be unknown; features that stand for "unknown" are learned.

    ```python
    encoder = model.conditions.encoders["label"]
    value = encoder.parse("3", 4, (8, 8))
    encoder(value).shape  # (4, 64, 1, 1)
    ```

    Attributes:
        keyword: the keyword under which a user gives the value.
        vector_width, map_width, tokens_width: features it adds to the vector or to the map that enter every layer, or
            of its tokens; two are 0.
    """

    keyword: str
    vector_width: int = 0
    map_width: int = 0
    tokens_width: int = 0

    def parse(self, value: Any, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Validate the value that a user gives for `batch_size` images of a size; None leaves it unknown.

        Raises:
            ConfigError, ShapeError, DataError: naming what is wrong with it.
        """
        raise NotImplementedError

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Read the condition of each image of a batch; unknown where the data set has none.

        Raises:
            ConfigError: if the data set has a value that the encoder does not know.
        """
        raise NotImplementedError

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d h w"] | Tokens:
        """Features: `b d 1 1`, a map, or tokens. They do not depend on values that are not known."""
        raise NotImplementedError

    def embedding_tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """Embeddings of named values, with their names; the last row, beyond them, stands for "unknown"."""
        return {}


def condition_dims(encoders: Mapping[str, ConditionEncoder], vector: int, map: int) -> ConditionDims:
    """Features of the condition that encoders make together, beside `vector` and `map` features of others.

    ```python
    condition_dims({"label": LabelEncoder(("cat", "dog"), 16)}, 0, 8)  # 16 features of the vector, 8 of the map
    ```
    """
    for encoder in encoders.values():
        vector, map = vector + encoder.vector_width, map + encoder.map_width
    return ConditionDims(vector, map, sum(encoder.tokens_width for encoder in encoders.values()))


def encode_conditions(
    encoders: Mapping[str, ConditionEncoder], inputs: ConditionInputs, maps: Sequence[Tensor]
) -> Condition:
    """Encode a batch: vectors side by side, maps side by side with `maps` behind them, and the tokens.

    ```python
    inputs = ConditionInputs(2, {"label": label_input(torch.tensor([0, 1]))})
    encode_conditions({"label": LabelEncoder(("cat", "dog"), 16)}, inputs, []).vector.shape  # (2, 16, 1, 1)
    ```
    """
    features: dict[str, list[Any]] = {"vector": [], "map": [], "tokens": []}
    for name, encoder in encoders.items():
        kind = "vector" if encoder.vector_width else "map" if encoder.map_width else "tokens"
        features[kind].append(encoder(inputs.parts[name]))
    features["map"] += maps
    vector, map = (torch.cat(features[kind], 1) if features[kind] else None for kind in ("vector", "map"))
    return Condition(vector, map, features["tokens"][0] if features["tokens"] else None)
