"""A vector of floats from anywhere: measurements, an embedding of another model."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.errors import DataError, ShapeError


class VectorConfig(BaseModel):
    """The vector that a model listens to: `size` numbers, heard as `width` features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=1, le=65_536)
    width: int = Field(64, ge=1, le=8192)


class VectorEncoder(ConditionEncoder):
    """Two linear layers over the vector; a learned vector of features where there is none."""

    def __init__(self, config: VectorConfig) -> None:
        super().__init__()
        self.size = config.size
        self.vector_width = config.width
        self.first = nn.Linear(config.size, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.absent = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Finite floats `[d]` or `[n d]`."""
        if asked is None:
            return MaskedValue(torch.zeros(count, self.size), torch.zeros(count, dtype=torch.bool))
        values = torch.as_tensor(asked, dtype=torch.float32)
        values = values[None] if values.ndim == 1 else values
        if values.ndim != 2 or values.shape[1] != self.size or len(values) not in (1, count):
            raise ShapeError(
                f"`vector` of shape {list(values.shape)} must be [{self.size}], or [{count}, {self.size}] for "
                f"{count} images."
            )
        if not bool(values.isfinite().all()):
            raise DataError("`vector` holds a number that is not finite: leave such images out, or replace it.")
        return MaskedValue(values.expand(count, -1), torch.ones(count, dtype=torch.bool))

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Features of each vector."""
        known = part.known[:, None]
        values = torch.where(known, part.values.to(self.absent.dtype), 0.0)
        heard = self.second(F.silu(self.first(values)))
        return torch.where(known, heard, self.absent)[:, :, None, None]
