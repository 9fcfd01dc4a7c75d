"""How a model listens to one condition: what a user gives becomes tensors, and these become features."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning.told import Part


class Listener(nn.Module):
    """One condition that can be told or left out; what stands for "not told" is learned.

    Attributes:
        vector_width, map_width: features it adds to the vector, or to the map, that every layer hears; one is 0.
        asks: the keyword under which a user tells it; "" where that is its own name.
    """

    asks: str = ""

    vector_width: int = 0
    map_width: int = 0

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> Part:
        """What a user asks for `count` images of a size, checked; None leaves it out.

        Raises:
            ConfigError, ShapeError, DataError: naming what is wrong with it.
        """
        raise NotImplementedError

    def forward(self, part: Part) -> Float[Tensor, "b d h w"]:
        """Features: `b d 1 1`, or a map. They do not depend on values that are not known."""
        raise NotImplementedError

    def tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """Vectors that belong to names, and the names; the last vector, beyond them, stands for "not told"."""
        return {}
