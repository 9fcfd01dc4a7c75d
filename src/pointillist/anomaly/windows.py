"""Overlapping windows of images that are larger than the model's, and maps of windows blended to one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


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

    def cut(self, x: Shaped[Tensor, "b c h w"]) -> Shaped[Tensor, "n c i j"]:
        """Cut the windows out of images: those of the first image, then those of the second, and so on."""
        if len(self) == 1:
            return x
        height, width = self.window
        return torch.stack([x[..., r : r + height, c : c + width] for r, c in self.corners], 1).flatten(0, 1)

    def blend(self, maps: Float[Tensor, "n i j"]) -> Float[Tensor, "b h w"]:
        """Average the maps of windows where they overlap, with weights that fall towards the edges of a window."""
        if len(self) == 1:
            return maps
        height, width = self.window
        weight = _ramp(height, maps)[:, None] * _ramp(width, maps)
        windows = maps.reshape(-1, len(self), height, width)
        total = maps.new_zeros(len(windows), *self.size)
        weights = maps.new_zeros(self.size)
        for index, (r, c) in enumerate(self.corners):
            total[:, r : r + height, c : c + width] += weight * windows[:, index]
            weights[r : r + height, c : c + width] += weight
        return total / weights


def _starts(whole: int, part: int) -> list[int]:
    return sorted({*range(0, whole - part + 1, max(1, part // 2)), whole - part})


def _ramp(length: int, like: Tensor) -> Tensor:
    rising = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)
    return torch.minimum(rising, rising.flip(0))
