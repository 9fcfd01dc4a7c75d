"""The report of a command: numbers for JSON, lines for people; and notes on stderr while it works."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """What a command tells when it has ended.

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
