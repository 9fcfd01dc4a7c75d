"""Extend an image beyond its edges, and make it tile: windows that overlap what is already there.

A model of fixed size sees one window at a time. Each window is completed given the pixels in it that are known by then,
so the log-likelihood of the whole is the sum over the windows. A model of any size fills a canvas in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal, Unpack, get_args

import numpy as np

from pointillist.completion.api import InpaintKwargs, complete, completion_request
from pointillist.completion.cells import ObservedCells
from pointillist.completion.result import Completions
from pointillist.conditioning import NO_LABEL
from pointillist.errors import ConfigError
from pointillist.images.array_types import Bool, Float, Int, UInt8
from pointillist.model.folder.image_sources import SingleImage, read_image
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.request import Request
from pointillist.sampling.uniforms import check_count, seed_of

Sides = Literal["x", "y", "both"]


class Painter:
    """Completes windows of a batch of canvases one after the other.

    ```python
    painter = Painter(model, canvases, completion_request(4, label=3))
    painter.fill_windows(known, lambda number: number)
    painter.levels
    ```

    Args:
        model: the model.
        levels: the canvases, one for all or one each, `[n c h w]`, read where they are known.
        request: of the completions, without their pixels: each window has a seed, a size and known pixels.

    Attributes:
        request: as given.
        levels: the canvases, as far as they are filled.
        parts: completions of each window that was not known entirely.

    Raises:
        ConfigError, DataError: if there are no canvases, or they do not fit in memory.
    """

    def __init__(self, model: LikelihoodModel, levels: Int[np.ndarray, "n c h w"], request: Request) -> None:
        check_count(request.n, levels.shape[1:])
        self.model: LikelihoodModel = model
        self.levels: Int[np.ndarray, "n c h w"] = np.array(np.broadcast_to(levels, (request.n, *levels.shape[1:])))
        self.parts: list[Completions] = []
        self.request: Request = replace(request, size=None)

    @property
    def nats(self) -> Float[np.ndarray, " n"]:
        """Sum of the conditional log-likelihoods of the windows, in nats."""
        return sum((part.nats for part in self.parts), np.zeros(len(self.levels)))

    def fill(
        self,
        known: Bool[np.ndarray, "h w"],
        seed: int,
        window: tuple[slice, slice] = (slice(None), slice(None)),
        allowed: Bool[np.ndarray, "h w k"] | None = None,
    ) -> None:
        """Complete the pixels of a window that are not known."""
        if known.all():
            return
        part = self.levels[:, :, window[0], window[1]]
        request = replace(self.request, known=(part, known), allowed=allowed, seed=seed)
        out = complete(request.resolve(self.model, at_once=True))
        part[...] = out.levels
        self.parts.append(out)

    def fill_windows(
        self,
        known: Bool[np.ndarray, "h w"],
        seed_of: Callable[[int], int],
        start: tuple[int, int] = (0, 0),
        allowed: Bool[np.ndarray, "h w k"] | None = None,
    ) -> None:
        """Complete the canvases, in one piece or, by a model of fixed size, in windows, the nearest to `start` first.

        Args:
            known: pixels that stay.
            seed_of: seed of a window by its number.
            allowed: levels that each pixel may have; None for all.
        """
        known, size = known.copy(), (known.shape[0], known.shape[1])
        trained = (self.model.image.height, self.model.image.width) if self.model.fixed_size else size
        for number, window in enumerate(windows(size, trained, start)):
            self.fill(known[window].copy(), seed_of(number), window, None if allowed is None else allowed[window])
            known[window] = True

    def result(
        self,
        seed: int,
        known: Bool[np.ndarray, "h w"],
        picture: UInt8[np.ndarray, "h w d"] | None,
        shift: tuple[int, int] = (0, 0),
    ) -> Completions:
        """Return the canvases, rolled by rows and columns, with the pixels of a picture that no window drew."""
        levels = np.roll(self.levels, shift, (2, 3))
        last, count = self.parts[-1] if self.parts else None, len(levels)
        return Completions(
            levels=levels,
            nats=self.nats,
            image=self.model.image.resized(*levels.shape[2:]),
            labels=np.full(count, NO_LABEL) if last is None else last.labels,
            seed=seed,
            engine="" if last is None else last.engine,
            order="" if last is None else last.order,
            tileset=self.model.tileset,
            methods=tuple(method for part in self.parts for method in part.methods),
            orders=tuple(order for part in self.parts for order in part.orders),
            known=np.broadcast_to(known, levels.shape),
            numbers=np.arange(count),
            log_weights=sum((part.log_weights for part in self.parts), np.zeros(count)),
            ess=min((part.ess for part in self.parts), default=float(count)),
            picture=picture,
        )


def window_seed(seed: int, number: int) -> int:
    """Return the seed of a window of a canvas.

    Example:
        window_seed(0, 1)
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def extend(
    model: LikelihoodModel,
    image: Any,
    size: tuple[int, int],
    at: tuple[int, int] = (0, 0),
    n: int = 8,
    *,
    seed: int | None = None,
    **settings: Unpack[InpaintKwargs],
) -> Completions:
    """Extend an image to a larger canvas.

    Args:
        image: levels `[c h w]`, a picture or a path, as for `inpaint`.
        size: height and width of the canvas.
        at: row and column of the canvas where the image begins.
        n: number of canvases.
        settings: as for `inpaint`; `method` too.

    Raises:
        ConfigError: if the image does not fit on the canvas, or the canvas is smaller than a window of the model.
        ShapeError, DataError, EngineError: as `inpaint`.

    Example:
        extend(pt.load("tiles"), "grass.png", (64, 64), at=(16, 16), n=2, seed=0).images[0]
    """
    read = read_image(model, image)
    x = read.levels[0]
    height, width = x.shape[1:]
    (rows, columns), (top, left) = size, at
    if min(at) < 0 or top + height > rows or left + width > columns:
        raise ConfigError(
            f"`at` (={top},{left}) puts an image of {height}x{width} beyond a canvas of {rows}x{columns}: choose a "
            "larger canvas."
        )
    check_count(n, (len(x), rows, columns))
    canvas = np.zeros((1, x.shape[0], rows, columns), np.int64)
    canvas[:, :, top : top + height, left : left + width] = x
    known = np.zeros((rows, columns), bool)
    known[top : top + height, left : left + width] = True
    picture = None
    if read.picture is not None:
        picture = np.zeros((rows, columns, read.picture.shape[2]), np.uint8)
        picture[known] = read.picture.reshape(-1, read.picture.shape[2])
    return _filled(Painter(model, canvas, completion_request(n, seed=seed, **settings)), known, at, picture)


def fill_grid(
    model: LikelihoodModel,
    cells: ObservedCells,
    n: int = 8,
    *,
    seed: int | None = None,
    **settings: Unpack[InpaintKwargs],
) -> Completions:
    """Complete a grid of observed cells that is larger than the images of a model of fixed size, window by window.

    Args:
        cells: observed cells, without soft data.
        n: number of realisations.
        settings: as for `inpaint`; `method` too.

    Raises:
        ConfigError: if the grid is smaller than a window, or has soft data.
        ShapeError, DataError, EngineError: as `inpaint`.

    Example:
        fill_grid(model, read_cells("holes.csv", model.image, (200, 200)), n=100, seed=0).levels
    """
    if cells.soft is not None:
        raise ConfigError("Soft data weigh grids that a model fills in one piece: use a model of any size.")
    return _filled(Painter(model, cells.levels[None], completion_request(n, seed=seed, **settings)), cells.known)


def _filled(
    painter: Painter,
    known: Bool[np.ndarray, "h w"],
    start: tuple[int, int] = (0, 0),
    picture: UInt8[np.ndarray, "h w d"] | None = None,
) -> Completions:
    """Complete canvases; see `Painter.fill_windows`."""
    if painter.model.fixed_size:
        _reject_rules(painter.request, "of fixed size fills a canvas in windows")
    first = seed_of(painter.request.seed)
    painter.fill_windows(known, lambda _: window_seed(first, len(painter.parts)), start)
    return painter.result(first, known, picture)


def windows(canvas: tuple[int, int], window: tuple[int, int], start: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield windows that cover a canvas, the nearest to `start` first; neighbours overlap by half or more.

    Raises:
        ConfigError: if the canvas is smaller than a window.

    Example:
        list(windows((8, 12), (8, 8), (0, 0)))  # two windows, 4 columns apart
    """
    if canvas[0] < window[0] or canvas[1] < window[1]:
        raise ConfigError(
            f"`canvas` (={canvas[0]}x{canvas[1]}) must be at least {window[0]}x{window[1]}, the size of the model."
        )
    starts = [
        sorted({min(max(0, first + k * max(1, extent // 2)), size - extent) for k in range(-2 * size, 2 * size)})
        for size, extent, first in zip(canvas, window, start, strict=True)
    ]
    corners = [(row, column) for row in starts[0] for column in starts[1]]
    for row, column in sorted(corners, key=lambda c: (abs(c[0] - start[0]) + abs(c[1] - start[1]), c)):
        yield slice(row, row + window[0]), slice(column, column + window[1])


def make_seamless(
    model: LikelihoodModel,
    image: Any,
    sides: Sides = "both",
    n: int = 8,
    *,
    band: int | None = None,
    seed: int | None = None,
    **settings: Unpack[InpaintKwargs],
) -> Completions:
    """Make an image tile: paint a band around the seam again, given what is on both sides of it.

    The image is rolled by half, so that its edges meet in the middle, and the band there is completed. With `both`,
    rows follow columns, and at last the place where the two seams cross.

    Args:
        image: levels `[c h w]` or `[n c h w]`, a picture or a path, as for `inpaint`.
        sides: `x` tiles from left to right, `y` from top to bottom.
        n: number of images.
        band: pixels painted again across a seam; None for a quarter of the side, at least 2.
        settings: as for `inpaint`; `method` too.

    Raises:
        ConfigError: if there is no such side, or the band is too wide.
        ShapeError, DataError, EngineError: as `inpaint`.

    Example:
        make_seamless(pt.load("tiles"), pt.sample(model, 1).levels, "x", n=4, seed=0).images[0].save("tile.png")
    """
    check_sides(sides)
    many = getattr(image, "ndim", 0) == 4 and len(image) == n
    read = SingleImage(model.check_array(image)) if many else read_image(model, image)
    return tile(Painter(model, read.levels, completion_request(n, seed=seed, **settings)), sides, band, read.picture)


def tile(
    painter: Painter, sides: Sides, band: int | None = None, picture: UInt8[np.ndarray, "h w d"] | None = None
) -> Completions:
    """Make the canvases of a painter tile; see `make_seamless`.

    Raises:
        ConfigError: as `make_seamless`.

    Example:
        tile(Painter(model, levels, completion_request(4, seed=0)), "x")
    """
    _reject_rules(painter.request, "makes an image tile in bands")
    height, width = painter.levels.shape[2:]
    across = [max(2, size // 4) if band is None else band for size in (height, width)]
    for axis, size, thick in zip("yx", (height, width), across, strict=True):
        if sides in (axis, "both") and not 0 < thick < size:
            raise ConfigError(f"`band` (={thick}) must be from 1 to {size - 1} for an image of {height}x{width}.")
    first, rolled, stays = seed_of(painter.request.seed), (0, 0), np.ones((height, width), bool)
    for shift, hole in _seams(sides, (height, width), (across[0], across[1])):
        painter.levels = np.roll(painter.levels, (shift[0] - rolled[0], shift[1] - rolled[1]), (2, 3))
        rolled = shift
        painter.fill(~hole, window_seed(first, len(painter.parts)))
        stays &= ~np.roll(hole, (-shift[0], -shift[1]), (0, 1))
    return painter.result(first, stays, picture, (-rolled[0], -rolled[1]))


def check_sides(sides: str) -> None:
    """Check the sides at which images tile.

    Raises:
        ConfigError: if there are no such sides.
    """
    if not isinstance(sides, str) or sides not in get_args(Sides):
        raise ConfigError(f"`sides` (={sides!r}), at which images tile, must be x, y or both.")


def _seams(
    sides: Sides, size: tuple[int, int], band: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], Bool[np.ndarray, "h w"]]]:
    """Yield by how much to roll the image, and the hole over its seam then."""
    height, width = size
    down, right = height // 2, width // 2
    rows = slice(down - band[0] // 2, down - band[0] // 2 + band[0])
    columns = slice(right - band[1] // 2, right - band[1] // 2 + band[1])
    if sides in ("x", "both"):
        hole = np.zeros(size, bool)
        hole[:, columns] = True
        yield (0, right), hole
    if sides == "y":
        hole = np.zeros(size, bool)
        hole[rows] = True
        yield (down, 0), hole
    if sides == "both":
        hole = np.zeros(size, bool)
        margin = max(1, band[1] // 2)
        hole[rows, margin : width - margin] = True  # what is left crosses the other seam
        yield (down, 0), hole
        hole = np.zeros(size, bool)
        hole[rows, right - margin : right + margin] = True
        yield (down, right), hole


def _reject_rules(request: Request, why: str) -> None:
    """Reject rules where only parts of a map are completed.

    Raises:
        ConfigError: naming what to use.
    """
    if request.settings.get("rules") is not None:
        raise ConfigError(f"`rules` concern whole maps, and a model {why}: use `inpaint` on a whole map.")
