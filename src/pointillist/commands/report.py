"""The report of a command: numbers for JSON, lines for people; and notes on stderr while it works."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Report:
    """The result of a command.

    ```python
    Report({"bits_per_dim": 1.03}, [("bits/dim", "1.0300")])
    ```

    Attributes:
        facts: for JSON.
        lines: for people: name and value.
        text: for people, before the lines.
    """

    facts: Mapping[str, Any]
    lines: Sequence[tuple[str, str]] = ()
    text: str = ""


def note(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)


def console(*, stderr: bool = False) -> Console:
    """Return a terminal on stdout or stderr. It does not break lines: the terminal does."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)
