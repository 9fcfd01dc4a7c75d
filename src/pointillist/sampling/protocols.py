"""Protocols of an engine and of a sampler, as the loop uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pointillist.distributions.transform import Transform

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@runtime_checkable
class Stepper(Protocol):
    """A source of the network's outputs for one sub-pixel after the other."""

    def params(self) -> np.ndarray:
        """Return parameters `[b, p]` at the current sub-pixel; only its own channel's share is defined."""

    def observe(self, values: np.ndarray) -> None:
        """Take the embedded level `[b, e]` of the sub-pixel just chosen, and advance."""

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
        passes: computations of a row of the batch, to which `jacobi` adds its own.
        transform: guidance, temperature and top-p. Under guidance the engine's batch holds every image twice.
        mask: levels that each sub-pixel may have; None for all.
    """

    uniforms: Float[Tensor, "n c h w"]
    nats: Float[Tensor, " n"]
    passes: int
    transform: Transform
    mask: LevelMask | None
