"""Generation orders: raster or S-curve, from any corner, along rows or columns.

A **pixel position** is a row and a column of an image. An order is a curve over the **raster frame** and the reflection
or transpose that maps the image to this frame. The raster visits every row of the raster frame from left to right. The
S-curve (boustrophedon) visits odd rows from right to left, so that consecutive positions are neighbours. A network runs
in the raster frame, and its outputs are mapped back to the image. A network therefore supports at most these two
curves, and the eight raster orders need no support at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from pointillist.errors import ConfigError, check_name, quote
from pointillist.images.array_types import Int, Shaped

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PixelOrder:
    """A generation order, one of sixteen.

    Attributes:
        name: `CURVE[-columns][-CORNER]`. The corner is where the order starts: `tr`, `bl` or `br`; top left if absent.
        s_curve: whether odd rows of the raster frame run from right to left.
        columns: whether the order follows columns. The raster frame of an `h x w` image is then `w x h`.
        bottom, right: sides of the image where the order starts.

    Example:
        ```python
        get_order("s-curve").rank(2, 3)  # [[0, 1, 2], [5, 4, 3]]
        ```
    """

    name: str
    s_curve: bool = False
    columns: bool = False
    bottom: bool = False
    right: bool = False

    def to_raster(self, x: Shaped[Tensor, "*n h w"]) -> Shaped[Tensor, "*n h2 w2"]:
        """Map a tensor over pixel positions to the raster frame. A kernel is mapped the same way."""
        x = self._reflect(x)
        return x.transpose(-2, -1) if self.columns else x

    def array_to_raster(self, x: Shaped[np.ndarray, "*n h w"]) -> Shaped[np.ndarray, "*n h2 w2"]:
        """Map an array to the raster frame, as `to_raster` maps a tensor."""
        x = self._reflect_array(x)
        return x.swapaxes(-2, -1) if self.columns else x

    def array_from_raster(self, x: Shaped[np.ndarray, "*n h2 w2"]) -> Shaped[np.ndarray, "*n h w"]:
        """Map an array from the raster frame back to the image: the inverse of `array_to_raster`."""
        return self._reflect_array(x.swapaxes(-2, -1) if self.columns else x)

    def from_raster(self, x: Shaped[Tensor, "*n h2 w2"]) -> Shaped[Tensor, "*n h w"]:
        """Map a tensor from the raster frame back to the image: the inverse of `to_raster`."""
        return self._reflect(x.transpose(-2, -1) if self.columns else x)

    @property
    def _reflected_axes(self) -> list[int]:
        return [axis for axis, reflected in ((-2, self.bottom), (-1, self.right)) if reflected]

    def _reflect(self, x: Shaped[Tensor, "*n h w"]) -> Shaped[Tensor, "*n h w"]:
        return x.flip(self._reflected_axes) if self._reflected_axes else x

    def _reflect_array(self, x: Shaped[np.ndarray, "*n h w"]) -> Shaped[np.ndarray, "*n h w"]:
        return np.flip(x, tuple(self._reflected_axes)) if self._reflected_axes else x

    def raster_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the raster frame of a `height x width` image."""
        return (width, height) if self.columns else (height, width)

    def row(self, row: int, width: int) -> range:
        """Columns of a row of the raster frame, which is `width` wide, in generation order."""
        columns = range(width)
        return columns[::-1] if self.s_curve and row % 2 else columns

    def site(self, row: int, column: int, height: int, width: int) -> tuple[int, int]:
        """Map a position of the raster frame to its row and column in the `height x width` image."""
        if self.columns:
            row, column = column, row
        return height - 1 - row if self.bottom else row, width - 1 - column if self.right else column

    def sites(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """Yield row and column in the image of every pixel position, in generation order."""
        rows, columns = self.raster_size(height, width)
        return (self.site(row, column, height, width) for row in range(rows) for column in self.row(row, columns))

    def rank(self, height: int, width: int) -> Int[np.ndarray, "h w"]:
        """Rank of each pixel position in the order, from 0."""
        rows, columns = self.raster_size(height, width)
        rank = np.arange(rows * columns).reshape(rows, columns)
        if self.s_curve:
            rank[1::2] = rank[1::2, ::-1].copy()
        return self.array_from_raster(rank).copy()  # a view of one row or column may have a negative stride

    def sequence(self, x: Shaped[np.ndarray, "n c h w"]) -> Shaped[np.ndarray, "s n"]:
        """Return values of sub-pixels in generation order, of each pixel channel by channel."""
        visits = self.rank(x.shape[2], x.shape[3]).reshape(-1).argsort()
        return x.reshape(*x.shape[:2], -1)[:, :, visits].transpose(2, 1, 0).reshape(-1, len(x))


def stage_rank(steps: Iterable[tuple[int, int]], height: int, width: int) -> Int[np.ndarray, "h w"]:
    """Rank of each pixel, from 0, where grids are visited in turn: a pixel belongs to the first grid that has it.

    Args:
        steps: rows and columns between the pixels of each grid; all begin at 0.
        height, width: of the image.

    Example:
        ```python
        stage_rank([(2, 2), (1, 1)], 2, 2)  # [[0, 1], [2, 3]]
        ```
    """
    rank = np.full((height, width), -1)
    for rows, columns in steps:
        part = rank[::rows, ::columns]
        new = part < 0
        part[new] = rank.max() + 1 + np.arange(new.sum())
    return rank


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
    """Look up an order by name.

    Raises:
        ConfigError: if there is no such order.

    Example:
        ```python
        get_order("raster-columns-br").raster_size(28, 32)  # (32, 28)
        ```
    """
    check_name("There is no order", name, ORDERS)
    return ORDERS[name]


def resolve_order(known: Sequence[str], name: str | None = None) -> PixelOrder:
    """Choose one of the orders that a model was trained on, by default the first.

    Args:
        known: names of the orders of the model.
        name: the order to choose.

    Raises:
        ConfigError: if there is no such order, or the model was not trained on it.
    """
    if name is not None and get_order(name).name not in known:
        raise ConfigError(
            f"`order` (={quote(name)}) must be an order that the model was trained on: choose one of "
            f"{', '.join(known)}."
        )
    return get_order(known[0] if name is None else name)


def parse_orders(words: str | Iterable[str]) -> tuple[str, ...]:
    """Parse names of orders from a list or a comma-separated text; `raster-all` and `s-curve-all` mean eight each.

    Raises:
        ConfigError: if an order does not exist or occurs twice, or there is none.

    Example:
        ```python
        parse_orders("raster, s-curve-tr")  # ("raster", "s-curve-tr")
        ```
    """
    # settings of a run file may be of any type: a number is reported as an order that does not exist
    parts = words.split(",") if isinstance(words, str) else words if np.iterable(words) else [words]
    result: list[str] = []
    for word in (str(part).strip() for part in parts):
        curve = word.removesuffix("-all")
        every = [n for n, o in ORDERS.items() if o.s_curve == (curve == "s-curve")]
        result += every if curve != word and curve in CURVES else [get_order(word).name]
    if not result or len(set(result)) != len(result):
        raise ConfigError(f"`orders` (={', '.join(result) or 'none'}) must name at least one order, and none twice.")
    return tuple(result)
