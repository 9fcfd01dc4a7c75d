"""The canvas of a program of a grid: an image that is known in parts, embedded in 8 bits, and its mask.

The encoders of hints and of known pixels share it; `conditioning/encoders/grids.py` has their networks in torch. These
are recorded as programs, which compute the features (`model/portable/conditions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pointillist.conditioning.portable import PortableEncoder, StoredEncoder
from pointillist.files.arrays import ArrayReader, ArrayWriter
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int, Shaped

MASK = 64
"""What a pixel that is known writes to the channels of its mask; it stands for 1."""
MOST = 127


@dataclass(frozen=True, eq=False)
class LevelTable:
    """Numbers in 8 bits that levels of an image write to a grid.

    Attributes:
        levels: of each level, `[levels, e]`; None for images of floats, which are rounded.
        unit: the number that an integer stands for, `[e]`; of floats, of each channel.
    """

    levels: Int[np.ndarray, "levels e"] | None
    unit: Float[np.ndarray, " e"]

    @classmethod
    def ordered(cls, count: int) -> LevelTable:
        """Spread ordered levels over [-1, 1]: without rounding, if there are at most 128."""
        # nearly as large as 8 bits allow: a product has one unit for the weights of levels and of the mask
        steps = MOST // (count - 1) * (count - 1) or MOST
        numbers = np.floor((np.arange(count) * (2 / (count - 1)) - 1) * steps + 0.5)
        return cls(numbers.astype(np.int8)[:, None], np.full(1, 1 / steps))

    @classmethod
    def embedded(cls, vectors: Float[np.ndarray, "levels e"]) -> LevelTable:
        """Round the vectors of unordered levels."""
        unit = cls.floats(np.abs(vectors).max(axis=0)).unit
        return cls(np.floor(vectors / unit + 0.5).clip(-MOST, MOST).astype(np.int8), unit)

    @classmethod
    def floats(cls, largest: Float[np.ndarray, " c"]) -> LevelTable:
        """Choose the units of floats by the largest magnitude of each channel."""
        return cls(None, 2.0 ** np.ceil(np.log2(np.maximum(largest.astype(np.float64), 2.0**-20) / MOST)))


@dataclass(frozen=True, eq=False)
class GridFeatures(PortableEncoder):
    """Write an image that is known in parts, and its mask, to the canvas of a program.

    Attributes:
        table: what levels write.
        masks_channels: whether there is a mask for each channel of the image; else one for all.
    """

    masks_channels: ClassVar[bool] = False

    table: LevelTable

    @property
    def unit(self) -> Float[np.ndarray, " i"]:
        """The number that an integer of each channel of the canvas stands for."""
        channels: int = self.reader.channels
        level = self.table.unit if self.table.levels is None else np.tile(self.table.unit, channels)
        return np.append(level, np.full(channels if self.masks_channels else 1, 1 / MASK))

    def features(self, values: Shaped[np.ndarray, "n c h w"], known: Bool[np.ndarray, "n m h w"]) -> np.ndarray:
        """Return the canvas `[n, h, w, i]` in integers: of each channel what its level writes, and then the mask."""
        if self.table.levels is None:
            rounded = np.floor(np.moveaxis(values, 1, -1).astype(np.float64) / self.table.unit + 0.5)
            written = np.where(np.moveaxis(known, 1, -1), rounded.clip(-MOST, MOST), 0)
        else:
            vectors = np.moveaxis(self.table.levels[np.where(known, values, 0)], 1, 3)
            written = np.where(np.moveaxis(known, 1, -1)[..., None], vectors, 0)
            written = written.reshape(*written.shape[:3], -1)
        return np.concatenate([written, np.moveaxis(known, 1, -1) * MASK], -1).astype(np.int32)

    def encode(self, arrays: ArrayWriter) -> dict[str, object]:
        """Return the table of levels; a subclass adds what its reader needs."""
        stored = {"levels": self.table.levels, "unit": self.table.unit}
        return {"weights": {name: arrays.name(array) for name, array in stored.items() if array is not None}}


class StoredGrid(StoredEncoder):
    """JSON values of an encoder of an image on the grid: what levels write; a subclass adds its settings."""

    def table(self, image: ImageSpec | None, channels: int, arrays: ArrayReader) -> LevelTable:
        """Read what levels write.

        Raises:
            CheckpointError: if an array is missing, or has another shape.
        """
        levels = None if image is None else arrays.get(self.weights.get("levels"), "int8", (image.levels, None))
        width = channels if levels is None else levels.shape[1]
        return LevelTable(levels, arrays.get(self.weights.get("unit"), "float64", (width,)))
