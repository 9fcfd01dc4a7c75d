"""What a step sees, and in which order: a pure function of the seed, so that a resumed run goes on as it would have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class EpochSampler:
    """An endless stream of shuffled epochs, read by position; batches may straddle two epochs, and none is dropped."""

    def __init__(self, images: int, seed: int) -> None:
        self.images = images
        self.seed = seed
        self._epoch = -1
        self._permutation = np.empty(0, np.int64)

    def read(self, start: int, count: int) -> list[tuple[int, np.ndarray]]:
        """Positions `start .. start + count` of the stream as pairs of epoch and image indices."""
        parts = []
        while count > 0:
            epoch, offset = divmod(start, self.images)
            part = self._shuffled(epoch)[offset : offset + count]
            parts.append((epoch, part))
            start, count = start + len(part), count - len(part)
        return parts

    def _shuffled(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._permutation = np.random.default_rng([self.seed, epoch]).permutation(self.images)
            self._epoch = epoch
        return self._permutation


def order_of_step(orders: Sequence[str], seed: int, step: int) -> str:
    """The order in which the images of a step are learnt: shuffled rounds, each of which has every order once."""
    turn, place = divmod(step, len(orders))
    return orders[int(np.random.default_rng([seed, turn, 17]).permutation(len(orders))[place])]
