"""Guidance, temperature and top-p as one object, and what they do to log-probabilities in numpy. Needs no torch.

The formulas are those of `sampling_transforms.py` (torch) and of `engine/cpu/kernels/inverse_cdf.py` (compiled). They
decide what is drawn, not the likelihood of what was drawn, so no decoder depends on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from pointillist.errors import ConfigError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Transform:
    """Changes to the distribution of a sub-pixel before a level is drawn.

    It is made where the user speaks, and passed down to the draw of every engine.

    ```python
    Transform(guidance=3.0, temperature=0.8).is_identity  # False
    ```

    Attributes:
        guidance: classifier-free guidance scale (Ho & Salimans 2022, arXiv 2207.12598): 0 is unconditional, 1 the
            model itself. See `apply_guidance`.
        temperature: divides the log-probabilities; 0 takes the most probable level. See `apply_temperature_top_p`.
        top_p: nucleus sampling (Holtzman et al. 2020): keep the most probable levels that reach this sum.

    Raises:
        ConfigError: naming the setting that is out of range.
    """

    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        check_guidance(self.guidance)
        if not self.temperature >= 0:
            raise ConfigError(f"`temperature` (={self.temperature}) must be 0 or more: 1 is the model itself.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"`top_p` (={self.top_p}) must lie above 0 and at most 1: 1 keeps every level.")

    @property
    def is_guided(self) -> bool:
        """True if a batch holds every image twice: under its conditions, and then under the reference of guidance."""
        return self.guidance != 1

    @property
    def is_identity(self) -> bool:
        """True if it changes no distribution."""
        return (self.guidance, self.temperature, self.top_p) == (1, 1, 1)

    def unguided(self) -> Transform:
        """Return it without guidance: for images without conditions, which guidance does not change."""
        return replace(self, guidance=1.0)

    def as_array(self) -> Floats:
        """Return guidance, temperature and top-p as compiled code takes them, `[3]`."""
        return np.array([self.guidance, self.temperature, self.top_p], np.float64)

    def guide(self, log_probs: Floats) -> Floats:
        """Apply guidance to log-probabilities `[2 n, k]`: those under the conditions, and then those of the reference.

        Without guidance they are `[n, k]`, and returned as they are.
        """
        if not self.is_guided:
            return log_probs
        conditional, reference = np.split(log_probs, 2)
        return log_softmax(reference + self.guidance * (conditional - reference))

    def draw(self, log_probs: Floats, uniforms: Floats) -> NDArray[np.int64]:
        """Draw a level for each uniform `[n]` from log-probabilities `[n, k]`; `[2 n, k]` under guidance."""
        return inverse_cdf(self._sharpened(self.guide(log_probs)), uniforms)

    def _sharpened(self, log_probs: Floats) -> Floats:
        """Apply temperature, then top-p."""
        if self.temperature < np.finfo(np.float64).tiny:
            result = np.full_like(log_probs, -np.inf)
            np.put_along_axis(result, log_probs.argmax(axis=1)[:, None], 0.0, axis=1)
            return result
        if self.temperature != 1:
            # the best level at 0 first: dividing by a tiny temperature then leaves it there
            log_probs = log_softmax((log_probs - log_probs.max(axis=1, keepdims=True)) / self.temperature)
        if self.top_p < 1:
            index = np.argsort(-log_probs, axis=1, kind="stable")
            ordered = np.exp(np.take_along_axis(log_probs, index, axis=1))
            over = ordered.cumsum(axis=1) - ordered >= self.top_p
            over[:, 0] = False
            cut = np.zeros_like(over)
            np.put_along_axis(cut, index, over, axis=1)
            log_probs = np.where(cut, -np.inf, log_probs)
        return log_probs


def log_softmax(log_probs: Floats) -> Floats:
    """Renormalise log-probabilities `[n, k]`."""
    shifted = log_probs - log_probs.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def inverse_cdf(log_probs: Floats, uniforms: Floats) -> NDArray[np.int64]:
    """Return the first level whose cumulative probability exceeds the uniform times the total."""
    cdf = np.exp(log_probs).cumsum(axis=1)
    total = cdf[:, -1]
    share = np.minimum(uniforms * total, np.nextafter(total, 0.0))
    result: NDArray[np.int64] = (cdf <= share[:, None]).sum(axis=1)
    return result


def check_guidance(guidance: float) -> None:
    """Check that a guidance scale is finite and not negative.

    Raises:
        ConfigError: naming the value.
    """
    if not (isinstance(guidance, Real) and 0 <= guidance < math.inf):
        raise ConfigError(f"`guidance` (={guidance}) must be 0 or more, and finite: 1 is the model itself.")


IDENTITY = Transform()
"""The distribution as it is."""
