"""Where a run is."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class TrainerState:
    """Where a run is.

    Attributes:
        step: optimiser steps done.
        best: lowest validation bits/dim so far, and `best_step` where it was.
        last: the newest validation bits/dim.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    last: float = math.inf
