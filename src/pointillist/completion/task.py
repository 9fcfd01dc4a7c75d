"""A completion to be drawn, with its arguments checked: the same for every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from pointillist.errors import check_whole
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.request import Draws

MAX_MOVES = 10_000
"""Most single-pixel moves of a completion: each takes a pass over the image."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CompletionTask(Draws):
    """Images with a hole, one for each completion; they share the mask of `observed`.

    Attributes:
        particles: mean number, in a row, of the histories that Sequential Monte Carlo draws together.
        moves: single-pixel moves of each completion after Sequential Monte Carlo.
        soft: factors of the probability of each level at each pixel; None without soft data.
    """

    particles: int = 64
    moves: int = 4
    soft: Float[np.ndarray, "h w k"] | None = None

    def __post_init__(self) -> None:
        check_whole("particles", self.particles, 1)
        check_whole("moves", self.moves, 0, MAX_MOVES)

    @property
    def levels(self) -> Int[np.ndarray, "n c h w"]:
        """Levels of the images, read where they are known."""
        assert self.observed is not None
        return self.observed[0]

    @property
    def known(self) -> Bool[np.ndarray, "c h w"]:
        """Sub-pixels to keep."""
        assert self.observed is not None
        return self.observed[1]

    @property
    def seed(self) -> int:
        """Seed of the completions; 0 where uniforms are given."""
        return self.uniforms.seed or 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.known.shape

    @classmethod
    def from_draws(cls, draws: Draws, **own: Any) -> CompletionTask:
        """Make a task of a resolved request with known pixels."""
        return cls(**{each.name: getattr(draws, each.name) for each in fields(draws)} | own)

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

    @property
    def started(self) -> Bool[np.ndarray, "c h w"]:
        """Mask of the sub-pixels from the first unknown one on, in generation order."""
        rank = sub_pixel_rank(self.model, self.shape, self.order)
        return np.asarray(rank >= rank[~self.known].min(initial=rank.size))

    @property
    def weighed(self) -> Bool[np.ndarray, "c h w"]:
        """Mask of the known sub-pixels whose probabilities weigh particles: no condition, and after an unknown one."""
        weighed, observed = self.known & self.started, self.inputs.observed
        return np.asarray(weighed if observed is None else weighed & ~observed[0])


@dataclass(frozen=True, kw_only=True)
class Drawn:
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
