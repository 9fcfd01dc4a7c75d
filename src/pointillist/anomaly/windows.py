"""Overlapping windows of images that are larger than the model's, and maps of windows blended to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Windows:
    """Positions of windows in an image: half a window apart, and the last one at the edge.

    ```python
    windows = Windows.of((64, 100), (32, 32))
    windows.cut(x)  # [b * len(windows), c, 32, 32]
    ```

    Attributes:
        size: height and width of the image.
        window: height and width of a window, at most the image's.
        corners: row and column of the first pixel of each window.
    """

    size: tuple[int, int]
    window: tuple[int, int]
    corners: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, size: tuple[int, int], window: tuple[int, int]) -> Windows:
        """Lay windows of a size, at most, over an image."""
        window = min(size[0], window[0]), min(size[1], window[1])
        rows, columns = (_starts(whole, part) for whole, part in zip(size, window, strict=True))
        return cls(size, window, tuple((row, column) for row in rows for column in columns))

    def __len__(self) -> int:
        return len(self.corners)

    def cut(self, x: Shaped[np.ndarray, "b c h w"]) -> Shaped[np.ndarray, "n c i j"]:
        """Cut the windows out of images: those of the first image, then those of the second, and so on."""
        if len(self) == 1:
            return x
        height, width = self.window
        parts = np.stack([x[..., r : r + height, c : c + width] for r, c in self.corners], 1)
        return parts.reshape(-1, x.shape[1], height, width)

    def blend(self, maps: Float[np.ndarray, "n i j"]) -> Float[np.ndarray, "b h w"]:
        """Average the maps of windows where they overlap, with weights that fall towards the edges of a window."""
        if len(self) == 1:
            return maps
        height, width = self.window
        weight = _ramp(height)[:, None] * _ramp(width)
        windows = maps.reshape(-1, len(self), height, width)
        total = np.zeros((len(windows), *self.size))
        weights = np.zeros(self.size)
        for index, (r, c) in enumerate(self.corners):
            total[:, r : r + height, c : c + width] += weight * windows[:, index]
            weights[r : r + height, c : c + width] += weight
        return np.asarray(total / weights)


def _starts(whole: int, part: int) -> list[int]:
    return sorted({*range(0, whole - part + 1, max(1, part // 2)), whole - part})


def _ramp(length: int) -> Float[np.ndarray, " n"]:
    rising = np.arange(1.0, length + 1)
    return np.asarray(np.minimum(rising, rising[::-1]))
