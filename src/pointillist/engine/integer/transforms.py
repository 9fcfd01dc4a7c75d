"""Transforms of frequencies for sampling: guidance, temperature, top-p, in float64.

The formulas are those of `distributions/sampling_transforms.py`. They decide what is drawn, not the likelihood of what
was drawn, so no decoder depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import IntArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class DrawTransform:
    """Changes to the distribution of a sub-pixel before a level is drawn.

    ```python
    DrawTransform(guidance=3.0, temperature=0.8).changes  # True
    ```

    Attributes:
        guidance: scale of classifier-free guidance; 1 is the model itself.
        temperature, top_p: see `SamplingConfig`; 1 is the model itself.
        guided: whether a batch holds every image twice, conditional and then the reference of guidance.
    """

    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    guided: bool = False

    @property
    def changes(self) -> bool:
        """True if it changes any distribution."""
        return self.guided or (self.temperature, self.top_p) != (1.0, 1.0)

    def draw(self, result: IntArray, uniforms: Float) -> NDArray[np.int64]:
        """Draw a level for each uniform `[n]` from the frequencies `[n, k]`; `[2 n, k]` under guidance."""
        count = len(uniforms)
        logs = np.log(result.astype(np.float64))
        logs -= np.log(result.sum(axis=1, keepdims=True).astype(np.float64))
        own = logs[:count]
        if self.guided:
            own = log_softmax(logs[count:] + self.guidance * (own - logs[count:]))
        return inverse_cdf(self._sharpened(own), uniforms)

    def _sharpened(self, logs: Float) -> Float:
        """Apply temperature, then top-p."""
        if self.temperature < np.finfo(np.float64).tiny:
            result = np.full_like(logs, -np.inf)
            np.put_along_axis(result, logs.argmax(axis=1)[:, None], 0.0, axis=1)
            return result
        if self.temperature != 1:
            # the best level at 0 first: dividing by a tiny temperature then leaves it there
            logs = log_softmax((logs - logs.max(axis=1, keepdims=True)) / self.temperature)
        if self.top_p < 1:
            index = np.argsort(-logs, axis=1, kind="stable")
            ordered = np.exp(np.take_along_axis(logs, index, axis=1))
            over = ordered.cumsum(axis=1) - ordered >= self.top_p
            over[:, 0] = False
            cut = np.zeros_like(over)
            np.put_along_axis(cut, index, over, axis=1)
            logs = np.where(cut, -np.inf, logs)
        return logs


def log_softmax(logs: Float) -> Float:
    """Renormalise log-probabilities `[n, k]`."""
    shifted = logs - logs.max(axis=1, keepdims=True)
    result: Float = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def inverse_cdf(logs: Float, uniforms: Float) -> NDArray[np.int64]:
    """Return the first level whose cumulative probability exceeds the uniform times the total."""
    cdf = np.exp(logs).cumsum(axis=1)
    total = cdf[:, -1]
    share = np.minimum(uniforms * total, np.nextafter(total, 0.0))
    result: NDArray[np.int64] = (cdf <= share[:, None]).sum(axis=1)
    return result
