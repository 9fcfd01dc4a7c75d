"""Facts about normal images that a detector is fitted to: a few numbers an image, in a fixed order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from pointillist.anomaly.scoring import ScoredBatch
from pointillist.errors import ShapeError

_MOST_BYTES = 512_000_000  # of images that are held at once, to measure their distances


@dataclass(frozen=True, eq=False)
class Normals:
    """Statistics of normal images, and sums over their smoothed maps.

    ```python
    normals = collect_normals(scorer.score(images))
    fitted, held_out = normals[::2], normals[1::2]
    ```

    Attributes:
        statistics: `[n windows k]`.
        sums, squares: sum over the smoothed excess of each image, in bits a pixel, and over its square, `[n]`.
        extremes: least and largest smoothed excess of each image, `[n 2]`.
        size: height and width of the images.
        digests: hash of the content of each image.
        levels: the images, `[n c h w]`.
    """

    statistics: Float[np.ndarray, "n w k"]
    sums: Float[np.ndarray, " n"]
    squares: Float[np.ndarray, " n"]
    extremes: Float[np.ndarray, "n 2"]
    size: tuple[int, int]
    digests: np.ndarray
    levels: Int[np.ndarray, "n c h w"]

    def __len__(self) -> int:
        return len(self.sums)

    def __getitem__(self, index: slice) -> Normals:
        """Return some of the images."""
        names = ("statistics", "sums", "squares", "extremes", "digests", "levels")
        return replace(self, **{name: getattr(self, name)[index] for name in names})


def collect_normals(batches: Iterable[ScoredBatch]) -> Normals:
    """Collect the facts, and sort the images by a hash of their content: the order of the files does not matter.

    Of images that would take more than 512 MB, the first in that order are kept.

    Raises:
        ShapeError: if images differ in size.
    """
    statistics, maps, digests = [], [], []
    first: dict[bytes, np.ndarray] = {}
    size: tuple[int, int] | None = None
    for batch in batches:
        height, width = batch.excess.shape[1:]
        if size not in (None, (height, width)):
            raise ShapeError(f"Normal images of {size} and of {(height, width)} differ in size: resize them to one.")
        size = height, width
        statistics.append(batch.statistics)
        flat = batch.excess.reshape(len(batch.excess), -1)
        maps.append(np.stack([flat.sum(1), (flat**2).sum(1), flat.min(1), flat.max(1)], 1))
        hashes = [image_digest(levels) for levels in batch.levels]
        digests += hashes
        small = batch.levels.astype(np.uint8 if batch.levels.max() < 256 else np.uint16)
        first |= zip(hashes, small, strict=True)
        if len(first) * small[0].nbytes > _MOST_BYTES:
            first = {key: first[key] for key in sorted(first)[: _MOST_BYTES // small[0].nbytes]}
    assert size is not None  # an empty source is rejected when it is opened
    facts = np.concatenate(maps)
    order = np.array([i for i in sorted(range(len(digests)), key=lambda i: digests[i]) if digests[i] in first])
    levels = np.stack([first[digests[i]] for i in order])
    statistic_rows, hashes_in_order = np.concatenate(statistics)[order], np.array(digests, object)[order]
    facts = facts[order]
    return Normals(statistic_rows, facts[:, 0], facts[:, 1], facts[:, 2:], size, hashes_in_order, levels)


def image_digest(levels: np.ndarray) -> bytes:
    """Hash the content of an image, `[c h w]`."""
    return hashlib.sha256(np.ascontiguousarray(levels, np.int64).data).digest()
