"""The report of a command: numbers for JSON, text for people; and notes on stderr while it works."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointillist.errors import counted

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


def size_text(count: int) -> str:
    """Format a number of bytes."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def shape_text(image: Any) -> str:
    """Format a kind of image."""
    order = "ordered" if image.ordered else "unordered"
    channels = counted(image.channels, "channel")
    return f"{image.mode}, {image.height} x {image.width}, {channels}, {image.levels:,} {order} levels"


def names_text(names: Sequence[str], most: int = 20) -> str:
    """Format the number of names, and the first of them."""
    if not names:
        return "none"
    return f"{len(names)}: {', '.join(names[:most])}{', ...' if len(names) > most else ''}"
