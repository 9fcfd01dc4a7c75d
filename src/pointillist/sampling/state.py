"""The state of a batch that is being sampled, and protocols of an engine and of a choice of levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.distributions.likelihoods import Likelihood
from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.images.ordering import PixelOrder
from pointillist.sampling.generative import OnRow

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@runtime_checkable
class Stepper(Protocol):
    """A source of the network's outputs for one sub-pixel after the other."""

    def params(self) -> np.ndarray:
        """Return parameters `[b, p]` at the current sub-pixel; only its own channel's share is defined."""

    def observe(self, levels: np.ndarray) -> None:
        """Take the level `[b]` of the current sub-pixel of each image, and advance."""

    def select(self, indices: np.ndarray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`, under the same condition."""

    def save(self) -> Any:
        """Save the state at the beginning of a row."""

    def restore(self, state: Any) -> None:
        """Return to a saved state."""


@runtime_checkable
class InverseCdfSampler(Protocol):
    """A sampler by inverse CDF from given uniforms, as plain numbers: a whole-image engine draws the levels itself.

    Attributes:
        uniforms: in [0, 1), `[n c h w]`.
        nats: log-likelihood of each image in nats, `[n]`; the engine adds to it.
        transform: guidance, temperature and top-p. Under guidance the engine's batch holds every image twice.
        mask: levels that each sub-pixel may have; None for all.
    """

    uniforms: Float[Tensor, "n c h w"]
    nats: Float[Tensor, " n"]
    transform: Transform
    mask: LevelMask | None


@runtime_checkable
class MaskedChooser(Protocol):
    """A choice of levels within a mask, which may send the loop back to an earlier row.

    Attributes:
        mask: levels that each sub-pixel may have; None for all.
        nats: log-likelihood of each image so far, `[n]`.
    """

    mask: LevelMask | None
    nats: Float[Tensor, " n"]


@dataclass(frozen=True, kw_only=True)
class SamplingState:
    """The levels of a batch in the raster frame; all tensors are filled in place.

    Attributes:
        order: generation order that defines the raster frame.
        likelihood: distribution of a pixel, given the outputs of the engine.
        levels: int64 `[b c h w]`, valid where `known` is set.
        known: pixel positions that are given or already sampled, bool `[h w]`.
        log_probs: of the sub-pixels that the integer program sampled as a whole stage, float64; 0 for others. They are
            added up at the end, because a sum for each stage would be rounded more often.
        outputs: network outputs of the first `n` images, filled where a pixel is sampled; None discards them.
        on_row: called after each row.
        resample: called with row and column before each pixel that is chosen; returns for each image of the batch the
            one that it continues from, or None to go on. None where no image is ever exchanged for another.
        masked: the choice of levels, where it has a mask.
    """

    order: PixelOrder
    likelihood: Likelihood
    levels: Int[Tensor, "b c h w"]
    known: Bool[Tensor, "h w"]
    log_probs: Float[Tensor, "b c h w"]
    outputs: Float[Tensor, "n p h w"] | None = None
    on_row: OnRow | None = None
    resample: Callable[[int, int], IntArray | None] | None = None
    masked: MaskedChooser | None = None

    def report(self) -> None:
        """Call `on_row` with the rows done: pixels known, in rows of the raster frame."""
        if self.on_row is not None:
            done = int(np.count_nonzero(self.known.numpy())) // self.known.shape[1]
            self.on_row(done, self.order.from_raster(self.levels).numpy())
