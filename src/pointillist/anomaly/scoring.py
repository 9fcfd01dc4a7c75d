"""Statistics and smoothed maps of images, batch by batch: one pass of each network for everything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pointillist.anomaly.reading import ImageBatch, ImageBatches
from pointillist.anomaly.statistics import NATS_PER_BIT, image_statistics, pixel_maps, statistic_names
from pointillist.conditioning import ConditionInputs
from pointillist.errors import ConfigError, check_whole, is_number, quote
from pointillist.evaluation.lossless import deflate_bits
from pointillist.files.progress import Bar
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
    """Compute what a detector judges images by.

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
        if not (is_number(self.smoothing) and 0 <= self.smoothing < math.inf):
            raise ConfigError(
                f"`smoothing` (={quote(self.smoothing)}) must be 0 or more pixels: 1.5 suits small images."
            )
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
