"""Two linear layers over a vector of floats."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import StoredWeights
from pointillist.conditioning.vector import VectorConfig, VectorFeatures, read_vectors
from pointillist.data import Batch
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec


def encoders(config: VectorConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make a small network over the vector."""
    return {"vector": VectorEncoder(config)}


class VectorEncoder(ConditionEncoder):
    """Two linear layers over the vector; learned features where it is unknown.

    ```python
    encoder = VectorEncoder(VectorConfig(size=3))
    encoder(encoder.parse([0.5, 1.0, -2.0], 4, (8, 8))).shape  # (4, 64, 1, 1)
    ```
    """

    keyword = "vector"

    def __init__(self, config: VectorConfig) -> None:
        super().__init__()
        self.size = config.size
        self.vector_width = config.width
        self.first = nn.Linear(config.size, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.absent = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    def parse(self, value: Any, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Parse finite floats `[d]` or `[n d]`."""
        values, known = read_vectors(value.cpu() if isinstance(value, Tensor) else value, self.size, batch_size)
        return MaskedValue(torch.from_numpy(values.copy()), torch.from_numpy(known))

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Take the vectors of a batch."""
        vectors = batch.annotations.vectors
        if vectors is not None and vectors.shape[1] != self.size:
            raise ConfigError(
                f"The vectors of the images have {vectors.shape[1]} numbers, and the model takes {self.size}: "
                "read others, or leave them out."
            )
        return self.parse(vectors, len(batch), (1, 1))

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Encode each vector."""
        known = value.known[:, None]
        values = torch.where(known, value.values.to(self.absent.dtype), 0.0)
        features = self.second(F.silu(self.first(values)))
        return torch.where(known, features, self.absent)[:, :, None, None]

    def portable(self, weights: StoredWeights) -> VectorFeatures:
        """The same layers in numpy."""
        return VectorFeatures(weights)
