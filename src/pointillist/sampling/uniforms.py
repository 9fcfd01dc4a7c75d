"""Uniforms of images: image i of a seed depends on (seed, i) alone."""

from __future__ import annotations

import math
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np

from pointillist.distributions.transform import Transform
from pointillist.errors import ConfigError, ShapeError, check_whole, quote
from pointillist.files.arrays import number_array
from pointillist.images.array_types import Float
from pointillist.system import check_memory

MAX_SEED = 2**53
_HELD_BYTES = 16  # of a sub-pixel: its level and its uniform
_SEEDS = 2**31  # so many seeds are drawn from

INTERVAL_TOLERANCE = 1e-6
"""Difference of cumulative probabilities between two engines."""


def check_count(n: int, shape: Sequence[int] | None = None) -> None:
    """Reject a number of images below 1, and more than fit in memory.

    Args:
        n: the number.
        shape: `(c, h, w)` of the images that are held at once; None where they are sampled batch by batch.

    Raises:
        ConfigError: naming the number.
        DataError: if there is too little memory.
    """
    n = check_whole("n", n, 1, MAX_SEED if shape is None else None)  # the number of an image is hashed like a seed
    if shape is not None:
        check_memory(int(n) * math.prod(shape) * _HELD_BYTES, f"{n:,} images at once", "ask for fewer")


def seed_of(seed: int | None) -> int:
    """Return a checked seed; None draws one, by torch's generator where torch is loaded, which `manual_seed` repeats.

    JSON and browsers hold integers below 2^53 exactly.

    Raises:
        ConfigError: naming the seed.
    """
    if seed is not None:
        return check_whole("seed", seed, 0, MAX_SEED - 1)
    torch = sys.modules.get("torch")
    return secrets.randbelow(_SEEDS) if torch is None else int(torch.randint(_SEEDS, ()))


def seeded_uniforms(
    seed: int, images: Iterable[int], shape: tuple[int, ...], candidate: int = 0
) -> Float[np.ndarray, "n c h w"]:
    """Draw the uniforms of some images of a seed: image i depends on (seed, i) alone, candidate k on (seed, i, k).

    Candidate 0 is the image itself.
    """
    return np.stack(
        [np.random.default_rng([seed, i, candidate] if candidate else [seed, i]).random(shape) for i in images]
    )


@dataclass(frozen=True)
class Uniforms:
    """Uniforms of images: from a seed, or given ones.

    ```python
    Uniforms.resolve(0, None, (16, 1, 28, 28)).of([3, 5]).shape  # (2, 1, 28, 28)
    ```

    Attributes:
        seed: image i depends on (seed, `first` + i) alone; None where each image has a seed, or uniforms are given.
        array: uniforms `[n c h w]`; None where a seed is given.
        shape: channels, height and width of an image.
        numbers: seed and index of each image; None where all have one seed.
        first: index of the first image of the seed.
    """

    seed: int | None
    array: Float[np.ndarray, "n c h w"] | None
    shape: tuple[int, ...]
    numbers: Sequence[tuple[int, int]] | None = None
    first: int = 0

    @classmethod
    def resolve(
        cls,
        seed: int | None,
        uniforms: Any,
        shape: tuple[int, ...],
        numbers: Sequence[tuple[int, int]] | None = None,
        *,
        first: int = 0,
    ) -> Uniforms:
        """Take a seed, a new one if absent, or uniforms of a shape `(n, c, h, w)`.

        Raises:
            ConfigError, ShapeError: if both are given, or the uniforms are out of range or of another shape.
        """
        if uniforms is None:
            return cls(None if numbers else seed_of(seed), None, shape[1:], numbers, first)
        if seed is not None:
            raise ConfigError(
                f"`seed` (={quote(seed)}) changes nothing where `uniforms` are given: leave one of them out."
            )
        array = number_array("uniforms", uniforms, "an array of numbers in [0, 1)")
        if array.shape != shape:
            raise ShapeError(f"`uniforms` of shape {array.shape} must be {shape}: one for each sub-pixel.")
        if array.size and not (array.min() >= 0 and array.max() < 1):
            raise ConfigError(f"`uniforms` from {array.min():g} to {array.max():g} must lie in [0, 1).")
        return cls(None, array, shape[1:], first=first)

    def of(self, images: Iterable[SupportsIndex], candidate: int = 0) -> Float[np.ndarray, "m c h w"]:
        """Return the uniforms of a candidate of the images with these numbers; see `seeded_uniforms`."""
        rows = [int(i) for i in images]
        if self.array is not None:
            return self.array[rows]
        if self.numbers is not None:
            each = (self.numbers[i] for i in rows)
            return np.concatenate([seeded_uniforms(seed, [index], self.shape, candidate) for seed, index in each])
        return seeded_uniforms(self.seed or 0, [self.first + i for i in rows], self.shape, candidate)

    def part(self, images: Iterable[SupportsIndex], candidate: int = 0) -> Uniforms:
        return Uniforms(self.seed, self.of(images, candidate), self.shape)


@dataclass(frozen=True)
class UniformIntervals:
    """The interval of uniforms that gives the level of each sub-pixel, `[1 c h w]` each.

    Attributes:
        low, high: its ends.
        transform: the changes to the distributions that the levels were drawn from.
    """

    low: Float[np.ndarray, "1 c h w"]
    high: Float[np.ndarray, "1 c h w"]
    transform: Transform

    @classmethod
    def of(cls, shape: tuple[int, ...], transform: Transform) -> UniformIntervals:
        return cls(np.zeros(shape), np.ones(shape), transform)

    def note(self, channel: int, row: int, column: int, level: int, cdf: Float[np.ndarray, " k"]) -> None:
        """Note the interval of a level, given the CDF that it was drawn from.

        Raises:
            ConfigError: if the level has probability zero.
        """
        index, cdf = (0, channel, row, column), cdf / cdf[-1]
        self.low[index], self.high[index] = float(cdf[level - 1]) if level else 0.0, float(cdf[level])
        if not self.low[index] < self.high[index]:
            raise ConfigError(
                f"The image has level {level} at row {row}, column {column}, which the model never paints there at "
                f"temperature {self.transform.temperature:g} and top-p {self.transform.top_p:g} (probability zero): "
                f"{self._remedy()}."
            )

    def _remedy(self) -> str:
        if self.transform.temperature < 1 or self.transform.top_p < 1:
            return "use temperature 1 and top-p 1"
        return "use guidance 1" if self.transform.is_guided else "change that pixel, or use another model"

    def choose(self, shares: Float[np.ndarray, "1 c h w"]) -> Float[np.ndarray, "1 c h w"]:
        """Choose a uniform in each interval, away from its ends by as much as engines may differ."""
        width = self.high - self.low
        margin = np.minimum(0.5, INTERVAL_TOLERANCE / width)
        result: np.ndarray = self.low + width * (margin + shares * (1 - 2 * margin))
        return np.asarray(np.minimum(result, np.nextafter(1.0, 0.0)))
