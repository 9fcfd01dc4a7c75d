"""The state of the training loop: its progress, its intervals, and a request to stop."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.training.config import IntervalsConfig


@dataclass
class TrainerState:
    """The progress of a run.

    Attributes:
        step: optimiser steps done.
        best: lowest validation bits/dim so far.
        best_step: the step of `best`.
        last: newest validation bits/dim.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    last: float = math.inf


@dataclass(frozen=True)
class Intervals:
    """The steps between the actions of a run of `total` steps. Each action is also due after the last step.

    Attributes:
        total: steps of the run.
        evaluate, save, sample: steps between evaluations, checkpoints and sample sheets, at least 1.
    """

    total: int
    evaluate: int
    save: int
    sample: int

    @classmethod
    def from_config(cls, config: IntervalsConfig, total: int) -> Intervals:
        """Resolve the settings: by default 20 evaluations, 40 checkpoints and 5 sample sheets a run."""

        def every(steps: int, times: int) -> int:
            return steps or max(1, total // times)

        return cls(total, every(config.evaluate, 20), every(config.save, 40), every(config.sample, 5))

    def due(self, every: int, step: int) -> bool:
        """Tell whether an action is due after `step` steps.

        Args:
            every: its interval, one of `evaluate`, `save` and `sample`.
        """
        return step == self.total or step % every == 0

    def count(self, every: int) -> int:
        """Count how often an action is due in the whole run."""
        return -(-self.total // every)


class Interrupted(Exception):  # noqa: N818 (not an error)
    """The run was stopped by Ctrl-C or SIGTERM, and its state is saved.

    ```python
    try:
        pt.train(model, digits, {"out": "runs/digits"})
    except Interrupted:
        pass  # later: pt.train(model, digits, {"out": "runs/digits"}, resume=True)
    ```
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__("the training was stopped" + ("" if folder is None else f"; its state is saved in {folder}"))


class StopRequest:
    """A request to stop, made by Ctrl-C or SIGTERM.

    Attributes:
        requested: True once a signal has come.
    """

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Turn signals into a request within a block; a second signal ends the program at once."""

        def handle(number: int, frame: Any) -> None:
            if self.requested:
                raise KeyboardInterrupt
            self.requested = True

        try:
            previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: signals are the caller's business
            yield
            return
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
