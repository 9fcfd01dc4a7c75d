"""Messages of the commands: errors that a user can cause, one sentence each, with settings spelled as options; reports.

The package names settings as in Python. A message says `skip_bad` or `size=32`; `pointillist train` prints `--skip-bad`
and `--size 32`, and a command that has the setting under `--set` prints `--set data.size=32`. Other errors stay
tracebacks.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from pointillist.commands.report import Facts, is_table, lines_of, table_of
from pointillist.errors import MAX_VALUE, PointillistError, missing_training, shorten

if TYPE_CHECKING:
    from pointillist.commands.run_options import RunOption


_INDENT = 11  # of the notes of a command, at least
_NUMBER = re.compile(r"([-+]?[\d.,]+( \w{1,5})?)?")  # with its unit


def print_json(value: Any) -> None:
    """Print a value as JSON; numbers that are not finite become null."""
    finite = json.loads(json.dumps(value), parse_constant=lambda constant: None)  # such as NaN
    typer.echo(json.dumps(finite, indent=2, ensure_ascii=False))


def print_report(facts: Facts, as_json: bool = False, most: int = 20) -> None:
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


EXIT_STOPPED = 130  # what shells report for a program ended by Ctrl-C
_REMEDIES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EFBIG: "free some space, or write to another disk",
    errno.EACCES: "change its permissions, or choose another path",
    errno.EPERM: "change its permissions, or choose another path",
    errno.EROFS: "choose a folder you may write to",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file, so choose another",
    errno.EEXIST: "a file is where a folder should be, so choose another path",
    errno.EISDIR: "it is a folder, so choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_NAMED = re.compile(r"(?<!the extra )`([a-z][a-z_0-9]*(?:\.[a-z_0-9]+)*)(?:=([^`]*))?`")

Speller = Callable[[str | None], str]
"""Spells an option, with a value or without one."""


def user_message(error: BaseException, command: str = "") -> str | None:
    """Return the sentence for an error that a user can cause; None for any other.

    Args:
        error: the error.
        command: name of the command that raised it.
    """
    if isinstance(error, PointillistError):
        return str(error)
    if isinstance(error, ImportError):
        missing = missing_training(error, f"`pointillist {command}`, with these settings,")
        return None if missing is None else str(missing)
    if isinstance(error, OSError) and error.errno not in (None, errno.EPIPE):
        where = f"{shorten(str(error.filename), MAX_VALUE)}: " if error.filename else ""
        remedy = _REMEDIES.get(error.errno or 0, "check the path and the disk")
        return f"{where}{(error.strerror or 'input or output failed').lower()}; {remedy}."
    kind = f"{type(error).__module__}.{type(error).__name__}"
    if isinstance(error, MemoryError) or kind.endswith(".OutOfMemoryError") or "can't allocate memory" in str(error):
        return "The memory is not enough: use a smaller `--batch-size`, smaller images or a smaller model."
    if kind.endswith("SafetensorError"):  # writing: reading is checked where it happens
        return f"The weights could not be written ({error}): check the space on the disk."
    return None


def name_value(error: typer.BadParameter) -> None:
    """Put the value into the message of an option that typer rejects, which calls it *Input*."""
    # of pydantic; older versions of typer name the value themselves
    result: list[Any] = getattr(error.__cause__, "errors", list)()
    if result:
        error.message = error.message.replace("Input", shorten(str(result[0]["input"])), 1)


def print_error(sentence: str, label: str = "Error: ") -> None:
    """Print one sentence on stderr; under torchrun, with the rank of the process."""
    rank = os.environ.get("RANK", "0")
    typer.echo(f"{label if rank == '0' else f'process {rank}: '}{sentence}", err=True)


def for_command_line(sentence: str, command: Any) -> str:
    """Spell the settings that a sentence names as options of a command.

    Args:
        sentence: with settings in backticks, such as `size` or `size=32`.
        command: the click command that runs; None leaves the sentence as it is.
    """
    if command is None:
        return sentence
    flags = _flags(command)

    def spelled(match: re.Match[str]) -> str:
        speller = flags.get(match[1]) or _setting(command, match[1])
        return match[0] if speller is None else f"`{speller(match[2])}`"

    return _NAMED.sub(spelled, sentence)


def _flags(command: Any) -> Mapping[str, Speller]:
    """Spell each setting that the command has an option for."""
    options = [p for p in command.params if p.param_type_name == "option"]
    result = {p.name: _with_flag(max(p.opts, key=len)) for p in options}
    result |= {
        f"{name}s": speller for name, speller in result.items()
    }  # `attributes` of Python is repeated `--attribute`
    for option in _run_options() if command.name == "train" else ():
        speller = _negated(option.flags) if option.turns_off else _with_flag(option.flags.split("/")[0])
        key = option.key.partition(".")[2]  # with its section it is a key of a run file, and stays one
        result |= dict.fromkeys({key, key.rpartition(".")[2]}, speller)
    return result


def _run_options() -> Sequence[RunOption]:
    from pointillist.commands.training import RUN_OPTIONS  # late: most messages are not about training

    return RUN_OPTIONS


def _setting(command: Any, name: str) -> Speller | None:
    """Spell a setting that the command takes under `--set`; None if there is none of this name."""
    if not any("--set" in p.opts for p in command.params):
        return None
    from pointillist.training.runs.config import RunConfig  # late: most messages name no such setting

    for section, field in RunConfig.model_fields.items():
        known = getattr(field.annotation, "model_fields", {})
        if (section == "data" or command.name == "train") and name in known:
            return _under_set(f"{section}.{name}")
    return None


def _with_flag(flag: str) -> Speller:
    def spell(value: str | None) -> str:
        return flag if value in (None, "True") else f"--no-{flag[2:]}" if value == "False" else f"{flag} {value}"

    return spell


def _negated(flag: str) -> Speller:
    return lambda value: f"no {flag}" if value == "True" else flag


def _under_set(key: str) -> Speller:
    return lambda value: f"--set {key}" if value is None else f"--set {key}={_toml(value)}"


def _toml(value: str) -> str:
    return {"True": "true", "False": "false"}.get(value, value)
