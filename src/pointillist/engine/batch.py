"""Images as an engine paints them whole: plain arrays that any engine takes and fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import FloatArray, IntArray


@dataclass
class SampleBatch:
    """Images as they are painted.

    Attributes:
        levels: `[n, c, h, w]`; kept where `known`.
        known: what is not drawn, and costs no nats, of the same shape.
        uniforms: in [0, 1), `[n, c, h, w]`.
        nats: log-likelihood of each image under the model at guidance 1 and temperature 1, to which is added.
        params: `[n, h, w, p]`, filled with the parameters of every site, or None.
    """

    levels: IntArray
    known: NDArray[np.bool_]
    uniforms: NDArray[np.float64]
    nats: NDArray[np.float64]
    params: FloatArray | None = None

    def check(self, channels: int) -> None:
        """Compiled code writes without looking at bounds: arrays of another shape are refused first.

        Raises:
            ValueError: naming the array.
        """
        shape = n, _, h, w = self.levels.shape
        wanted = {"known": shape, "uniforms": shape, "nats": (n,), "params": (n, h, w, channels)}
        for name, due in wanted.items():
            found = getattr(self, name)
            if found is not None and found.shape != due:
                raise ValueError(f"`{name}` {found.shape} of a painting must have the shape {due}.")
