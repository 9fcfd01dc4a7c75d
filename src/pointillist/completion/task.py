"""A completion to be drawn, with its arguments checked, and the mask of its levels: the same for every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning import ConditionInputs
from pointillist.errors import ConfigError, check_whole
from pointillist.files.arrays import boolean_array
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel, ScoringModel
from pointillist.sampling.candidates import negative_inputs, open_image_mask
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.generative import OnRow
from pointillist.sampling.uniforms import seeded_uniforms

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


MAX_MOVES = 10_000
"""Most single-pixel moves of a completion: each takes a pass over the image."""


@dataclass(frozen=True, kw_only=True)
class CompletionTask:
    """Images with a hole, one for each completion; they share the mask.

    Attributes:
        levels: int64 `[n c h w]`, read where `known` is set.
        known: sub-pixels to keep.
        inputs: conditions of each completion.
        config: how levels are drawn, in a given order.
        mask: levels that each sub-pixel of an image may have, before anything is known; None for all.
        seed: completion i depends on (seed, `first` + i) alone.
        uniforms: numbers in [0, 1), one for each sub-pixel of each completion, instead of a seed.
        first: number of the first completion.
        particles: mean number, in a row, of the histories that Sequential Monte Carlo draws together.
        moves: single-pixel moves of each completion after Sequential Monte Carlo.
        on_row: called after each row of a batch, and after each move; an exception that it raises ends the work.
        soft: factors of the probability of each level at each pixel; None without soft data.
    """

    model: LikelihoodModel
    levels: Int[np.ndarray, "n c h w"]
    known: Bool[np.ndarray, "c h w"]
    inputs: ConditionInputs
    config: SamplingConfig
    mask: LevelMask | None = None
    seed: int | None = None
    uniforms: Float[np.ndarray, "n c h w"] | None = None
    first: int = 0
    particles: int = 64
    moves: int = 4
    on_row: OnRow | None = None
    soft: Float[np.ndarray, "h w k"] | None = None

    def __post_init__(self) -> None:
        check_whole("particles", self.particles, 1)
        check_whole("moves", self.moves, 0, MAX_MOVES)
        check_whole("first", self.first)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.known.shape

    @cached_property
    def allowed(self) -> Bool[np.ndarray, "c h w k"] | None:
        """Levels that each sub-pixel may have before anything is drawn; None for all."""
        if self.mask is None:
            return None
        levels = self.model.image.levels
        sites = np.arange(self.shape[1] * self.shape[2])
        rows, columns = np.divmod(sites, self.shape[2])
        channels = [self.mask.allowed(channel, rows, columns) for channel in range(self.shape[0])]
        return np.stack(channels).reshape(*self.shape, levels)

    @cached_property
    def scorer(self) -> ScoringModel:
        """The distribution that images are completed from."""
        engine = "integer" if self.config.engine == "integer" else "torch"
        return self.model.scorer(engine, (self.shape[1], self.shape[2]))

    @property
    def negative(self) -> ConditionInputs | None:
        """Negative prompts of each completion; None for none."""
        size = (self.shape[1], self.shape[2])
        return negative_inputs(self.model.conditions, self.config.negative_prompt, len(self.levels), size)

    @property
    def order(self) -> PixelOrder:
        """Generation order."""
        return self.model.order(self.config.order)

    @property
    def started(self) -> Bool[np.ndarray, "c h w"]:
        """Mask of the sub-pixels from the first unknown one on, in generation order."""
        rank = sub_pixel_rank(self.model, self.shape, self.order)
        return np.asarray(rank >= rank[~self.known].min(initial=rank.size))

    def draw_uniforms(self, candidate: int) -> Float[np.ndarray, "n c h w"]:
        """Return the uniforms of candidate k of each completion; see `best_of`."""
        if self.uniforms is not None:
            return self.uniforms
        return seeded_uniforms(self.seed or 0, range(self.first, self.first + len(self.levels)), self.shape, candidate)


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Completions as a method draws them.

    Attributes:
        levels: int64 `[n c h w]`.
        nats: log-likelihood of everything from the first unknown sub-pixel on, float64 `[n]`.
        whole_nats: log-likelihood of everything that is not a condition, float64 `[n]`.
        log_weights: logarithms of the importance weights, float64 `[n]`; 0 for draws from the conditional itself.
        log_evidence: log-likelihood of the known sub-pixels after the first unknown one, and of the allowed levels.
        ess: effective sample size.
        acceptance: share of accepted moves; None without moves.
        tries: how often each completion was drawn until it obeyed the rules, `[n]`; None where that is not counted.
    """

    levels: Int[np.ndarray, "n c h w"]
    nats: Float[np.ndarray, " n"]
    whole_nats: Float[np.ndarray, " n"]
    log_weights: Float[np.ndarray, " n"]
    log_evidence: float | Float[np.ndarray, " n"]
    ess: float
    acceptance: float | None = None
    tries: Int[np.ndarray, " n"] | None = None


def sub_pixel_rank(model: LikelihoodModel, shape: Sequence[int], order: PixelOrder) -> Int[np.ndarray, "c h w"]:
    """Rank of each sub-pixel in the generation order, from 0.

    Example:
        sub_pixel_rank(model, (3, 8, 8), model.order())[:, 0, 0]  # [0, 1, 2]
    """
    channels, height, width = shape
    pixel_rank = model.generation_rank(height, width, order)
    return pixel_rank[None] * channels + np.arange(channels)[:, None, None]


def parse_mask_on_levels(
    model: LikelihoodModel,
    config: SamplingConfig,
    allowed: Any,
    images: Int[np.ndarray, "n c h w"],
    known: Bool[np.ndarray, "c h w"],
) -> LevelMask | None:
    """Make the mask of an image from `allowed` and the rules; None where nothing restricts its levels.

    Raises:
        ShapeError, ConfigError: if they do not fit the image, or its known pixels do not obey them.
    """
    result, size = parse_allowed(allowed, model.image.levels, images, known), (known.shape[1], known.shape[2])
    if config.parsed_rules is not None:
        for image in np.unique(images, axis=0):
            fixed = np.arange(model.image.levels) == image[..., None]
            within = np.where(known[..., None], fixed, True if result is None else result)
            open_image_mask(model, config.parsed_rules, size, within)  # an error where the known pixels break a rule
    return open_image_mask(model, config.parsed_rules, size, result, weighted=True)


def parse_allowed(
    allowed: Any, levels: int, images: Int[np.ndarray, "n c h w"], known: Bool[np.ndarray, "c h w"]
) -> Bool[np.ndarray, "c h w k"] | None:
    """Parse the levels that each pixel `[h w k]` or sub-pixel `[c h w k]` may have.

    Args:
        levels: number of levels.
        images, known: the known levels, and where they are.

    Raises:
        ShapeError: if it is not boolean, or has another shape.
        ConfigError: if a pixel may have no level, or not the one that is known.
    """
    if allowed is None:
        return None
    shape = (*known.shape, levels)
    result = np.broadcast_to(boolean_array("allowed", allowed, shape[1:], shape), shape)
    none = np.argwhere(~result.any(-1))
    if len(none):
        raise ConfigError(f"`allowed` leaves no level at {_position(none[0])}: allow at least one.")
    for image in np.unique(images, axis=0):
        own = np.take_along_axis(result, image[..., None], 3)[..., 0]
        wrong = np.argwhere(known & ~own)
        if len(wrong):
            level, where = image[tuple(wrong[0])], _position(wrong[0])
            raise ConfigError(
                f"`allowed` excludes level {level}, which is known at {where}: allow it, or leave the pixel unknown."
            )
    return result


def _position(index: np.ndarray) -> str:
    channel, row, column = index.tolist()
    return f"row {row}, column {column}, channel {channel}"
