"""Hold a batch of images while an engine samples it: plain arrays that any engine fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import FloatArray, IntArray


@dataclass
class SampleBatch:
    """Images that are being sampled.

    Attributes:
        levels: `[n, c, h, w]`; kept where `known`, filled elsewhere.
        known: sub-pixels that are given, of the same shape. They are not drawn and add no nats.
        uniforms: in [0, 1), `[n, c, h, w]`.
        nats: log-likelihood of each image `[n]` under the model at guidance 1 and temperature 1. The draws add to it.
        params: `[n, h, w, p]`, filled with the parameters at every site, or None.
    """

    levels: IntArray
    known: NDArray[np.bool_]
    uniforms: NDArray[np.float64]
    nats: NDArray[np.float64]
    params: FloatArray | None = None

    def check(self, channels: int) -> None:
        """Check shapes, because compiled code writes without bounds checks.

        Args:
            channels: number of parameters at a site.

        Raises:
            ValueError: naming the array with a wrong shape.
        """
        shape = n, _, h, w = self.levels.shape
        wanted = {"known": shape, "uniforms": shape, "nats": (n,), "params": (n, h, w, channels)}
        for name, due in wanted.items():
            found = getattr(self, name)
            if found is not None and found.shape != due:
                raise ValueError(f"`{name}` {found.shape} of a batch must have the shape {due}.")
