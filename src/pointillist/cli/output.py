"""Output that the commands share: JSON, facts and tables."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pointillist.commands.report import Report


def print_json(value: Any) -> None:
    """Print a value as JSON; numbers that are not finite become null."""
    typer.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def print_report(report: Report, as_json: bool) -> None:
    """Print the report of a command, as JSON or for people."""
    if as_json:
        print_json(report.facts)
        return
    if report.text:
        typer.echo(report.text)
    if report.lines:
        print_facts(report.lines)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print lines of name and value; long values are wrapped in their column."""
    facts = list(facts)
    indent = max(len(name) for name, _ in facts) + 2
    width = max(30, shutil.get_terminal_size().columns - indent)
    for name, value in facts:
        lines = [
            part for line in value.splitlines() for part in textwrap.wrap(line, width, break_long_words=False)
        ] or [""]
        typer.echo(f"{name:<{indent}}{lines[0]}")
        for line in lines[1:]:
            typer.echo(" " * indent + line)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print a plain table; columns in `right` are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, head in enumerate(heads):
        table.add_column(
            head, justify="right" if index in right else "left", no_wrap=index in (0, *right), overflow="fold"
        )
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    Console(highlight=False).print(table)


def _plain(text: str) -> Any:
    """Wrap text that is shown as it is: brackets in a file name are not markup."""
    from rich.text import Text

    return Text(text)
