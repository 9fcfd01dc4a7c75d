"""Ctrl-C that saves: a signal asks the loop to stop after its step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(Exception):  # noqa: N818 (not an error)
    """The user asked to stop; the state is saved."""


class StopRequest:
    """Whether Ctrl-C or SIGTERM asked the run to stop."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block a signal is a request; a second one ends the program at once."""

        def ask(number: int, frame: Any) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True

        try:
            kept = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: signals are the caller's business
            yield
            return
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
