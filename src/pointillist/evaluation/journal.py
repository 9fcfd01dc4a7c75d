"""The journal of an evaluation: likelihoods that are kept, so that an interrupted one continues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class Journal(Protocol):
    """Rows of likelihoods that are kept: for each image, in nats, under each order."""

    def keep(self, batch_size: int) -> int:
        """Drop the rows of a batch that is not whole, and return how many are kept."""

    def rows(self) -> Iterable[Sequence[float]]:
        """Return the rows that are kept."""

    def append(self, rows: Sequence[Any]) -> None:
        """Keep the rows of a batch."""


def read_journal(journal: Journal | None, nats: Float[np.ndarray, "o n"], batch_size: int) -> int:
    """Fill in the likelihoods that a journal keeps, and return the first image that it lacks."""
    if journal is None:
        return 0
    done = journal.keep(batch_size)
    if done:
        nats[:, :done] = np.array(list(journal.rows()), np.float64).T
    return done
