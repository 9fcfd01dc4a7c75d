"""Output that the commands share: JSON, facts, tables; and `--quantize`."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pointillist.errors import counted

if TYPE_CHECKING:
    from rich.console import Console

    from pointillist.model.pixel_model import PixelModel

QUANTIZE_HELP = "Quantize the matrices first: int8 or bf16."


def console(*, stderr: bool = False) -> Console:
    """Return a terminal on stdout or stderr. It does not break lines: the terminal does."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as JSON; numbers that are not finite become null."""
    typer.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


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

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, head in enumerate(heads):
        table.add_column(
            head, justify="right" if index in right else "left", no_wrap=index in (0, *right), overflow="fold"
        )
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    Console(highlight=False).print(table)


def _plain(text: str) -> Any:
    """Wrap text that is shown as it is: brackets in a file name are no markup."""
    from rich.text import Text

    return Text(text)


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


def reject_existing(path: Path, force: bool) -> None:
    """Reject a path that exists, unless `force` is set.

    Raises:
        ConfigError: naming `--force`.
    """
    from pointillist.errors import ConfigError

    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give the name of a file.")
    if path.exists() and not force:
        raise ConfigError(f"{path} is already there: add `--force` to replace it, or give another path.")


def fresh_path(path: Path, force: bool) -> Path:
    """Return a path that does not exist: itself, or `samples-2.png`, `samples-3.png` and so on for `samples.png`.

    With `force` it is the path itself, which is replaced.
    """
    result, number = path, 1
    while result.exists() and not force:
        number += 1
        result = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return result


def quantized(model: PixelModel, kind: str | None) -> PixelModel:
    """Return the model with quantized matrices (`int8` or `bf16`); the model itself for None.

    Raises:
        ConfigError: for another kind.
    """
    from pointillist.checkpoint.quantization import quantize_weights

    return model if kind is None else quantize_weights(model, kind)


def check_animation(path: Path, kind: str, force: bool) -> None:
    """Reject an animation that could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    from pointillist.errors import ConfigError

    if kind not in ("sheet", "image"):
        raise ConfigError("`--animate` goes with a sheet: leave out `--out`, or give NAME.png.")
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"`--animate` (={path}) must end in .gif.")
    reject_existing(path, force)
