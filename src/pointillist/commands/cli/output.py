"""Output that the commands share: JSON, facts and tables."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from pointillist.commands.report import is_table, lines_of, table_of

_INDENT = 11  # of the notes of a command, at least
_NUMBER = re.compile(r"([-+]?[\d.,]+( \w{1,5})?)?")  # with its unit


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


def print_report(facts: Mapping[str, Any], as_json: bool = False, most: int = 20) -> None:
    """Print the facts of a command, as JSON or for people: tables with `most` rows, and a line for each other fact.

    A fact `listing` is a text for people that stands for all others.
    """
    if as_json:
        print_json(facts)
        return
    if "listing" in facts:
        typer.echo(facts["listing"])
        return
    for rows in filter(is_table, facts.values()):
        print_table(*table_of(rows, most))
        if len(rows) > most:
            typer.echo(f"and {len(rows) - most:,} more\n")
    print_facts(lines_of(facts))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print lines of name and value; long values are wrapped in their column."""
    facts = list(facts)
    indent = max([_INDENT, *(len(name) + 2 for name, _ in facts)])
    width = max(30, shutil.get_terminal_size().columns - indent)
    for name, value in facts:
        lines = [
            part
            for line in value.splitlines()
            for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
        ] or [""]
        typer.echo(f"{name:<{indent}}{lines[0]}")
        for line in lines[1:]:
            typer.echo(" " * indent + line)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table; columns of numbers are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, head in enumerate(heads):
        is_number = index > 0 and all(_NUMBER.fullmatch(row[index]) for row in rows)
        table.add_column(
            head, justify="right" if is_number else "left", no_wrap=index == 0 or is_number, overflow="fold"
        )
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    Console(highlight=False).print(table)


def _plain(text: str) -> Any:
    """Wrap text that is shown as it is: brackets in a file name are not markup."""
    from rich.text import Text

    return Text(text)
