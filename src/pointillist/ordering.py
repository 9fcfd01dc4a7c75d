"""In which order the sites of an image are painted: raster or S-curve, from any corner, along rows or columns.

An order is a curve on a **turned** canvas and the reflection or transpose that turns the image so. The raster walks
every row of the turned canvas from left to right; the S-curve (boustrophedon) walks odd rows from right to left, so
that each site touches the one before it. A network runs on the turned canvas and its outputs are turned back: no
network knows of more than these two curves, and for the eight rasters none has to know anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from pointillist.errors import ConfigError


@dataclass(frozen=True)
class PixelOrder:
    """One of the sixteen orders.

    Attributes:
        name: `CURVE[-columns][-CORNER]`: the corner where it starts (`tr`, `bl`, `br`; none is the top left).
        snake: whether odd rows of the turned canvas are walked from right to left (the S-curve).
        columns: whether it walks along columns: the turned canvas of an `h x w` image is then `w x h`.
        bottom, right: on which sides of the image it starts.
    """

    name: str
    snake: bool = False
    columns: bool = False
    bottom: bool = False
    right: bool = False

    def turn(self, x: Shaped[Tensor, "*n h w"]) -> Shaped[Tensor, "*n h2 w2"]:
        """Anything over the sites of an image, on the turned canvas. Kernels turn the same way."""
        sides = [axis for axis, reflected in ((-2, self.bottom), (-1, self.right)) if reflected]
        x = x.flip(sides) if sides else x
        return x.transpose(-2, -1) if self.columns else x

    def turn_back(self, x: Shaped[Tensor, "*n h2 w2"]) -> Shaped[Tensor, "*n h w"]:
        """The inverse of `turn`."""
        x = x.transpose(-2, -1) if self.columns else x
        sides = [axis for axis, reflected in ((-2, self.bottom), (-1, self.right)) if reflected]
        return x.flip(sides) if sides else x

    def turned_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the turned canvas of an `height x width` image."""
        return (width, height) if self.columns else (height, width)

    def row(self, row: int, width: int) -> range:
        """The columns of a row of the turned canvas, `width` wide, in the order in which they are painted."""
        columns = range(width)
        return columns[::-1] if self.snake and row % 2 else columns

    def site(self, row: int, column: int, height: int, width: int) -> tuple[int, int]:
        """Where in the `height x width` image a site of the turned canvas lies."""
        if self.columns:
            row, column = column, row
        return height - 1 - row if self.bottom else row, width - 1 - column if self.right else column

    def walk(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """Row and column in the image of every site, in the order in which they are painted."""
        rows, columns = self.turned_size(height, width)
        return (self.site(row, column, height, width) for row in range(rows) for column in self.row(row, columns))

    def places(self, height: int, width: int) -> np.ndarray:
        """The place of each site in the order, from 0, integers `[h w]`."""
        found = np.empty((height, width), np.int64)
        for place, site in enumerate(self.walk(height, width)):
            found[site] = place
        return found


CURVES = ("raster", "s-curve")
ORDERS = {
    order.name: order
    for curve, columns, (corner, bottom, right) in product(
        CURVES, (False, True), (("", False, False), ("-tr", False, True), ("-bl", True, False), ("-br", True, True))
    )
    for order in [PixelOrder(f"{curve}{'-columns' * columns}{corner}", curve == "s-curve", columns, bottom, right)]
}
RASTER = ORDERS["raster"]


def get_order(name: str) -> PixelOrder:
    """The order called `name`.

    Raises:
        ConfigError: if there is none.
    """
    if name not in ORDERS:
        raise ConfigError(
            f"There is no order {name!r}: give raster or s-curve, then perhaps -columns, then perhaps the corner where "
            "it starts, -tr, -bl or -br."
        )
    return ORDERS[name]


def resolve_order(known: Sequence[str], name: str | None = None) -> PixelOrder:
    """One of the orders that a model knows; without a name, the first.

    Raises:
        ConfigError: if it is not among them.
    """
    if name is not None and get_order(name).name not in known:
        raise ConfigError(f"`order` (={name!r}) is not one of this model's: it was trained on {', '.join(known)}.")
    return get_order(known[0] if name is None else name)


def parse_orders(words: str | Iterable[str]) -> tuple[str, ...]:
    """Names of orders, from a list or a text with commas; `raster-all` and `s-curve-all` stand for eight each.

    Raises:
        ConfigError: if there is no such order, none at all, or one is named twice.
    """
    parts = words.split(",") if isinstance(words, str) else list(words)
    found: list[str] = []
    for word in (str(part).strip() for part in parts):
        curve = word.removesuffix("-all")
        every = [n for n, o in ORDERS.items() if o.snake == (curve == "s-curve")]
        found += every if curve != word and curve in CURVES else [get_order(word).name]
    if not found or len(set(found)) != len(found):
        raise ConfigError(f"`orders` (={', '.join(found) or 'none'}) must name at least one order, and none twice.")
    return tuple(found)
