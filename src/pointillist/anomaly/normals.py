"""Facts about normal images that a detector is fitted to: a few numbers an image, in a fixed order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pointillist.anomaly.scoring import ScoredBatch
from pointillist.errors import ShapeError


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
    """

    statistics: Float[np.ndarray, "n w k"]
    sums: Float[np.ndarray, " n"]
    squares: Float[np.ndarray, " n"]
    extremes: Float[np.ndarray, "n 2"]
    size: tuple[int, int]
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.sums)

    def __getitem__(self, index: slice | np.ndarray) -> Normals:
        """Return some of the images."""
        parts = {name: getattr(self, name)[index] for name in ("statistics", "sums", "squares", "extremes", "digests")}
        return replace(self, **parts)


def collect_normals(batches: Iterable[ScoredBatch]) -> Normals:
    """Collect the facts, and sort the images by a hash of their content: the order of the files does not matter.

    Raises:
        ShapeError: if images differ in size.
    """
    statistics, maps, digests = [], [], []
    size: tuple[int, int] | None = None
    for batch in batches:
        height, width = batch.excess.shape[1:]
        if size not in (None, (height, width)):
            raise ShapeError(f"Normal images of {size} and of {(height, width)} differ in size: resize them to one.")
        size = height, width
        statistics.append(batch.statistics)
        flat = batch.excess.reshape(len(batch.excess), -1)
        maps.append(np.stack([flat.sum(1), (flat**2).sum(1), flat.min(1), flat.max(1)], 1))
        digests += [image_digest(levels) for levels in batch.levels]
    assert size is not None  # an empty source is rejected when it is opened
    facts = np.concatenate(maps)
    order = np.array(sorted(range(len(digests)), key=lambda i: digests[i]))
    hashes = np.array(digests, object)
    return Normals(np.concatenate(statistics), facts[:, 0], facts[:, 1], facts[:, 2:], size, hashes)[order]


def image_digest(levels: np.ndarray) -> bytes:
    """Hash the content of an image, `[c h w]`."""
    return hashlib.sha256(np.ascontiguousarray(levels, np.int64).data).digest()
