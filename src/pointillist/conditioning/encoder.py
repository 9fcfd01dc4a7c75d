"""Base class of the encoders of conditions."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import PortableEncoder, StoredWeights
from pointillist.data import Batch
from pointillist.nn import Tokens


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
        reader: what reads a user's value without torch, and is shared with the portable half; None where there is none.
    """

    keyword: str
    vector_width: int = 0
    map_width: int = 0
    tokens_width: int = 0
    reader: Any = None

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

    def named_values(self) -> tuple[str, ...]:
        """Names of the values, if they are few: a model without torch stores the features of each."""
        return ()

    def portable(self, weights: StoredWeights) -> PortableEncoder | None:
        """Make the half that a model without torch stores and computes; without one it knows "unknown" only.

        Args:
            weights: the weights of this encoder, in int8 if they are quantized; without the weights of "unknown".
        """
        return None
