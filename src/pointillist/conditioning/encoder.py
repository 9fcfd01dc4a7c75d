"""How a model listens to one condition: what a user gives becomes tensors, and these become features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning.inputs import ConditionInputs, MaskedValue
from pointillist.nn import Condition, ConditionDims, Tokens


class ConditionEncoder(nn.Module):
    """One condition that can be told or left out; what stands for "not told" is learned.

    Attributes:
        vector_width, map_width, tokens_width: features it adds to the vector or to the map that every layer hears, or
            of its tokens; two are 0.
        asks: the keyword under which a user tells it; "" where that is its own name.
    """

    asks: str = ""

    vector_width: int = 0
    map_width: int = 0
    tokens_width: int = 0

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """What a user asks for `count` images of a size, checked; None leaves it out.

        Raises:
            ConfigError, ShapeError, DataError: naming what is wrong with it.
        """
        raise NotImplementedError

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d h w"] | Tokens:
        """Features: `b d 1 1`, a map, or tokens. They do not depend on values that are not known."""
        raise NotImplementedError

    def tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """Vectors that belong to names, and the names; the last vector, beyond them, stands for "not told"."""
        return {}


def condition_dims(listeners: Mapping[str, ConditionEncoder], vector: int, map: int) -> ConditionDims:
    """The features of the condition that they make together, with others beside the vector and the map."""
    for listener in listeners.values():
        vector, map = vector + listener.vector_width, map + listener.map_width
    return ConditionDims(vector, map, sum(listener.tokens_width for listener in listeners.values()))


def encode_conditions(
    listeners: Mapping[str, ConditionEncoder], told: ConditionInputs, maps: Sequence[Tensor]
) -> Condition:
    """What is told, as features: vectors side by side, maps side by side with others behind them, and the tokens."""
    heard: dict[str, list[Any]] = {"vector": [], "map": [], "tokens": []}
    for name, listener in listeners.items():
        kind = "vector" if listener.vector_width else "map" if listener.map_width else "tokens"
        heard[kind].append(listener(told.parts[name]))
    heard["map"] += maps
    vector, map = (torch.cat(heard[kind], 1) if heard[kind] else None for kind in ("vector", "map"))
    return Condition(vector, map, heard["tokens"][0] if heard["tokens"] else None)
