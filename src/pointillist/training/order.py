"""What a step sees, and in which order: a pure function of the seed, so that a resumed run goes on as it would have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Order:
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


def shift_images(levels: np.ndarray, keys: np.ndarray, seed: int, reach: int) -> np.ndarray:
    """Each image `c h w` moved by up to `reach` pixels each way; its draw depends on (seed, key) alone."""
    out = np.zeros_like(levels)
    height, width = levels.shape[2:]
    for i, key in enumerate(keys):
        dy, dx = np.random.default_rng([seed, int(key), 7]).integers(-reach, reach + 1, 2)
        (to_rows, from_rows), (to_columns, from_columns) = _overlap(dy, height), _overlap(dx, width)
        out[i, :, to_rows, to_columns] = levels[i, :, from_rows, from_columns]
    return out


def _overlap(move: int, size: int) -> tuple[slice, slice]:
    """Where the part that stays in view goes to, and where it comes from; both empty where nothing does."""
    kept = max(0, size - abs(move))
    target, origin = max(move, 0), max(-move, 0)
    return slice(target, target + kept), slice(origin, origin + kept)


def order_of_step(orders: Sequence[str], seed: int, step: int) -> str:
    """The order in which the images of a step are learnt: shuffled rounds, each of which has every order once."""
    turn, place = divmod(step, len(orders))
    return orders[int(np.random.default_rng([seed, turn, 17]).permutation(len(orders))[place])]
