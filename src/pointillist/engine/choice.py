"""Which engine `auto` is: the measured rules, in one place. The measurements are in docs/architecture.md.

The choice depends on what is installed, not on how large the job is or whether code is compiled already: the same seed
then paints the same image every time, which two engines promise only up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from pointillist.errors import EngineError

ENGINES = ("auto", "cpu", "step", "naive")


@dataclass(frozen=True)
class Choice:
    """An engine, and why it was taken."""

    engine: str
    why: str


def choose_engine(asked: str) -> Choice:
    """The engine that a name stands for.

    Raises:
        EngineError: if there is no such engine, or it needs what is not installed.
    """
    if asked not in ENGINES:
        raise EngineError(f"`engine` (={asked!r}) is not there: choose one of {', '.join(ENGINES)}.")
    compiler = find_spec("numba") is not None
    if asked == "cpu" and not compiler:
        raise EngineError("`engine` 'cpu' needs numba, which is not installed: run `pip install numba`, or use 'step'.")
    if asked != "auto":
        return Choice(asked, "as asked")
    if not compiler:
        return Choice("step", "numba is not installed, without which nothing can be compiled; 'cpu' would be faster")
    return Choice("cpu", "compiled code was the fastest for every model and batch size that was measured")
