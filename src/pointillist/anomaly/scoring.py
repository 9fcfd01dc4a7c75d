"""Statistics and smoothed maps of images, batch by batch, and facts of normal images that a detector is fitted to."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pointillist.anomaly.reading import ImageBatch, ImageBatches
from pointillist.anomaly.statistics import NATS_PER_BIT, image_statistics, pixel_maps, statistic_names
from pointillist.conditioning import ConditionInputs
from pointillist.errors import ConfigError, ShapeError, check_number, check_whole
from pointillist.evaluation.lossless import deflate_bits
from pointillist.files.progress import Bar
from pointillist.images.array_types import Float, Int
from pointillist.model.batches import check_likelihood
from pointillist.model.protocols import LikelihoodModel, ScoringModel

_REACH = 3  # standard deviations at which the smoothing kernel ends


@dataclass(frozen=True, eq=False)
class ScoredBatch:
    """Statistics and maps of some images.

    Attributes:
        names: file, or else the number, of each image.
        labels: class of each image, None without one.
        levels: the images, `[b c h w]`.
        statistics: statistics of each window of each image, `[b windows k]`.
        excess: smoothed excess surprisal, in bits a pixel, `[b h w]`.
    """

    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    levels: Int[np.ndarray, "b c h w"]
    statistics: Float[np.ndarray, "b n k"]
    excess: Float[np.ndarray, "b h w"]


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Compute the statistics that a detector scores images by.

    ```python
    scorer = Scorer(model=model)
    for batch in scorer.score(images):
        batch.statistics[..., 0]  # bits/dim
    ```

    Attributes:
        model: the model of normal images.
        background: a model of what all images of this kind share.
        conditions: whether images are scored with their conditions as well as without.
        smoothing: standard deviation of the Gaussian that smooths maps, in pixels; 0 leaves them as they are.
        batch_size: images, or windows of them, at once.
        engine: what gives the distributions, as for `evaluate`; a background model without a program is in floats.
    """

    model: LikelihoodModel
    background: LikelihoodModel | None = None
    conditions: bool = False
    smoothing: float = 1.5
    batch_size: int = 64
    engine: str = "auto"

    def __post_init__(self) -> None:
        check_whole("batch_size", self.batch_size, 1)
        check_number("smoothing", self.smoothing, 0, 1000, "be 0 to 1,000 pixels: 1.5 suits small images")
        if self.background is not None and not _same_kind(self.background, self.model):
            raise ConfigError(
                f"`background` is a model of {self.background.image}, and the model is one of {self.model.image}: "
                "train it on the same images."
            )
        if self.conditions and not self.model.conditions.readers:
            raise ConfigError("`conditions` (=True) needs a model with conditions, and this one has none.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the statistics, in the order of their columns."""
        return statistic_names(
            ordered=self.model.image.ordered, background=self.background is not None, condition=self.conditions
        )

    def score(self, images: Any) -> Iterator[ScoredBatch]:
        """Score images of any source that `ImageBatches` reads, in their order.

        Raises:
            DataError, ShapeError, ConfigError: if they do not fit the model.
        """
        source = ImageBatches(self.model, images, self.conditions)
        done = 0
        with Bar("scoring", source.count) as bar:
            for batch in source.read(self.batch_size):
                yield self._score(batch)
                done += len(batch.names)
                bar.show(done)

    def _score(self, batch: ImageBatch) -> ScoredBatch:
        x, windows = batch.x, batch.windows
        scorer = self.model.scorer(self.engine, windows.window)
        maps = pixel_maps(scorer, x, batch.inputs)
        check_likelihood(maps.surprisal.sum((1, 2)))
        background = None if self.background is None else self._background_bits(self.background, x)
        unconditional = _bits(scorer, x, batch.inputs.unconditional()) if self.conditions else None
        result = image_statistics(maps, x[0].size, deflate_bits(x), background, unconditional)
        excess = smooth(windows.blend(maps.excess), self.smoothing)
        statistics = result.reshape(len(batch.names), len(windows), -1)
        return ScoredBatch(batch.names, batch.labels, batch.levels, statistics, excess)

    def _background_bits(self, background: LikelihoodModel, x: Int[np.ndarray, "n c i j"]) -> Float[np.ndarray, " n"]:
        size = (x.shape[2], x.shape[3])
        scorer = background.scorer("torch" if self.engine == "torch" else "auto", size)
        inputs = background.conditions.inputs(None, len(x), size=size)
        return _bits(scorer, background.check_array(x), inputs)


def _bits(scorer: ScoringModel, x: Int[np.ndarray, "n c i j"], inputs: ConditionInputs) -> Float[np.ndarray, " n"]:
    """Compute the bits of each image."""
    return np.asarray(-scorer.unchecked_log_prob_map(x, inputs).sum((1, 2, 3)) / NATS_PER_BIT)


def smooth(maps: Float[np.ndarray, "b h w"], deviation: float) -> Float[np.ndarray, "b h w"]:
    """Smooth maps by a Gaussian, cut off at the border and normalised there.

    Args:
        deviation: standard deviation of the Gaussian, in pixels; 0 changes nothing.
    """
    if not deviation:
        return maps
    reach = math.ceil(_REACH * deviation)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    both = np.concatenate([maps, np.ones_like(maps[:1])])
    for axis in (1, 2):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(both, padding), len(kernel), axis)
        both = (windows * kernel).sum(-1)  # `@` would round by the number of maps
    return np.asarray(both[:-1] / both[-1:])


def _same_kind(one: LikelihoodModel, other: LikelihoodModel) -> bool:
    return one.image.model_dump() == other.image.model_dump()


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
