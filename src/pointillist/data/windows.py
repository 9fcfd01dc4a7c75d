"""Windows of large pictures as images: training draws them afresh, and strips of each picture are the splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointillist.data.raw import SPLITS
from pointillist.errors import DataError
from pointillist.images.array_types import Int, Shaped

OVERLAP = 4
"""Windows of an epoch of training along a side of a window: as many as if each began a quarter after the one before."""
_MIN_TRAIN = 1 / 3  # of a picture: a test strip that leaves less to train on is left out
_HELD_OUT = 0.1  # of a picture for a test strip, unless a fraction is set


@dataclass(frozen=True, eq=False)
class PictureWindows:
    """Windows of pictures, which are cut out when they are read.

    ```python
    windows = PictureWindows(pictures, corners, bounds, (64, 64))
    windows[np.array([0, 1])].shape  # (2, 1, 64, 64)
    ```

    Attributes:
        pictures: levels.
        corners: picture, row and column of each window.
        bounds: first and last row, first and last column, at which `draw` lets each window begin.
        size: height and width of a window.
    """

    pictures: Shaped[np.ndarray, "p c y x"]
    corners: Int[np.ndarray, "n 3"]
    bounds: Int[np.ndarray, "n 4"]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, rows: Int[np.ndarray, " b"]) -> Shaped[np.ndarray, "b c h w"]:
        return self._cut(self.corners[rows])

    def draw(self, rows: Int[np.ndarray, " b"], seed: int) -> Shaped[np.ndarray, "b c h w"]:
        """Return windows at places that are drawn from (seed, row); seed 0 leaves each at its corner."""
        if seed == 0:
            return self[rows]
        corners = self.corners[rows].copy()
        for corner, bounds, row in zip(corners, self.bounds[rows], rows.tolist(), strict=True):
            rng = np.random.default_rng((seed, row, 2))  # 0 and 1 are the flip and the binarisation of an image
            corner[1:] = rng.integers(bounds[0::2], bounds[1::2] + 1)
        return self._cut(corners)

    def regions(self, rows: Int[np.ndarray, " b"]) -> list[Shaped[np.ndarray, "c y x"]]:
        """Return the parts of the pictures that some windows are drawn from."""
        height, width = self.size
        places = np.unique(np.concatenate([self.corners[rows, :1], self.bounds[rows]], 1), axis=0)
        return [
            self.pictures[picture, :, top : bottom + height, left : right + width]
            for picture, top, bottom, left, right in places.tolist()
        ]

    def _cut(self, corners: Int[np.ndarray, "b 3"]) -> Shaped[np.ndarray, "b c h w"]:
        height, width = self.size
        result = np.empty((len(corners), self.pictures.shape[1], height, width), self.pictures.dtype)
        for window, (picture, row, column) in zip(result, corners.tolist(), strict=True):
            window[...] = self.pictures[picture, :, row : row + height, column : column + width]
        return result


def cut_windows(
    pictures: Shaped[np.ndarray, "p c y x"],
    size: tuple[int, int],
    valid_fraction: float,
    test_fraction: float | None,
    stored: np.ndarray | None = None,
) -> tuple[dict[str, PictureWindows], list[str]]:
    """Cut pictures into windows: a strip of each for training, then strips for validation and testing.

    ```python
    len(cut_windows(pictures, (64, 64), 0.1, None)[0]["train"])  # 216
    ```

    Args:
        size: height and width of a window.
        valid_fraction, test_fraction: share of a picture for these splits; a strip is at least as wide as a window, and
            0 makes none. None is a tenth where enough is left to train on.
        stored: split of each picture, where the source has splits: they are kept.

    Returns:
        Windows of each split, and `all` of all pictures, side by side; and notes on how the pictures were split.

    Raises:
        DataError: if the pictures are too small.
    """
    picture = (pictures.shape[2], pictures.shape[3])
    if picture[0] < size[0] or picture[1] < size[1]:
        raise DataError(
            f"`window` (={size[0]}x{size[1]}) must fit in the pictures, which are {picture[0]}x{picture[1]}: choose "
            "a smaller one."
        )
    numbers = {"all": np.arange(len(pictures))}
    numbers |= {
        name: np.flatnonzero(np.full(len(pictures), "train") == name if stored is None else stored == name)
        for name in SPLITS
    }
    along = int(picture[1] / size[1] >= picture[0] / size[0])  # strips lie along the side that has more windows
    ends = _ends(
        picture[along],
        size[along],
        0.0 if len(numbers["valid"]) else valid_fraction,
        0.0 if len(numbers["test"]) else test_fraction,
    )
    windows = {"all": _place(pictures, numbers["all"], ((0, picture[0]), (0, picture[1])), size, drawn=False)}
    for name in SPLITS:
        strip = ends.get(name, (0, picture[along]))
        source = numbers["train"] if name in ends else numbers[name]
        area = ((0, picture[0]), strip) if along else (strip, (0, picture[1]))
        if len(source):
            windows[name] = _place(pictures, source, area, size, drawn=name == "train")
    side = "columns" if along else "rows"
    parts = [f"{name}: {side} {first} to {last - 1}" for name, (first, last) in ends.items()]
    notes = [f"windows of {size[0]}x{size[1]}, drawn afresh in each epoch; {', '.join(parts)}"]
    if test_fraction is None and "test" not in ends and not len(numbers["test"]):
        notes.append("no strip is left for testing: the pictures are small for this `window`")
    return windows, notes


def _ends(length: int, window: int, valid: float, test: float | None) -> dict[str, tuple[int, int]]:
    """Divide a side of a picture among the splits.

    Raises:
        DataError: if less than a window is left for training.
    """
    fractions = {"valid": valid, "test": _HELD_OUT if test is None else test}
    sizes = {name: max(window, round(fraction * length)) for name, fraction in fractions.items() if fraction > 0}
    if test is None and length - sum(sizes.values()) < max(window, _MIN_TRAIN * length):
        del sizes["test"]
    train = length - sum(sizes.values())
    if train < window:
        raise DataError(
            f"`window` (={window}) leaves nothing to train on in a picture of {length} pixels, of which "
            f"{' and '.join(sizes)} take {length - train}: choose a smaller one, or set `valid_fraction` to 0."
        )
    result, first = {"train": (0, train)}, train
    for name, size in sizes.items():
        result[name] = (first, first + size)
        first += size
    return result


def _place(
    pictures: np.ndarray,
    numbers: Int[np.ndarray, " p"],
    area: Sequence[tuple[int, int]],
    size: tuple[int, int],
    *,
    drawn: bool,
) -> PictureWindows:
    """Place windows on a part of some pictures, side by side or, for drawing, overlapping."""
    starts = []
    for (first, last), extent in zip(area, size, strict=True):
        room = last - first - extent
        count = 1 + -(-room * (OVERLAP if drawn else 1) // extent)
        starts.append(np.unique(first + np.linspace(0, room, count).round().astype(np.int64)))
    grid = np.stack(np.meshgrid(numbers, *starts, indexing="ij"), -1).reshape(-1, 3)
    if drawn:
        edges = [(first, last - extent) for (first, last), extent in zip(area, size, strict=True)]
        bounds = np.broadcast_to(np.array(edges).reshape(4), (len(grid), 4))
    else:
        bounds = np.repeat(grid[:, 1:], 2, axis=1)
    return PictureWindows(pictures, grid, bounds, size)
