"""Maps as text: CSV with a number or a name for each cell, and grids of characters with a legend; names of levels."""

from __future__ import annotations

import csv
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pointillist.data.tilemaps.tileset import EMPTY, TileMap, check_cells
from pointillist.errors import ConfigError, DataError, quote
from pointillist.files.reading import parse_toml, read_text
from pointillist.files.settings_tree import split_names
from pointillist.images import MAX_LEVELS

LEGEND = "legend.toml"
"""Name of the file next to text grids that says what their characters mean."""
_CUSTOMARY = {
    "outside": " ",
    "wall": "#",
    "floor": ".",
    "door": "+",
    "locked door": "L",
    "key": "k",
    "stairs up": "<",
    "stairs down": ">",
    "water": "~",
    "grass": '"',
    "tree": "T",
    "chest": "c",
    "monster": "m",
    "lava": "!",
}


def read_legend(path: Path) -> dict[str, str]:
    """Read a legend: a table of characters and the names of their levels, in the order of the levels.

    ```python
    Path("legend.toml").write_text('"#" = "wall"\\n"." = "floor"\\n')
    read_legend(Path("legend.toml"))  # {"#": "wall", ".": "floor"}
    ```

    Raises:
        DataError: if it cannot be read, or a key is not one character or a value no name.
    """
    try:
        result = parse_toml(read_text(path, "utf-8-sig", name=f"The legend {path}"), str(path))
    except ConfigError as error:
        raise DataError(str(error)) from error
    if not result:
        raise DataError(f'The legend {path} must be a table of characters and names, such as "#" = "wall".')
    for character, name in result.items():
        if len(character) != 1 or not isinstance(name, str) or not name:
            raise DataError(
                f"The legend {path} has {quote(character)} = {quote(name)}: write a character and a name, as "
                '"#" = "wall".'
            )
    return result


def given_names(value: str | Sequence[str] | None) -> tuple[tuple[str, ...] | None, dict[str, str] | None]:
    """Resolve the option `level_names`: the names, and the legend where it is the file of one.

    Raises:
        DataError: if it names a legend that cannot be read.
    """
    if value is None:
        return None, None
    if not isinstance(value, str):
        return tuple(value), None
    if value.lower().endswith((".toml", ".json")):
        legend = read_legend(Path(value))
        return tuple(dict.fromkeys(legend.values())), legend
    return split_names("level_names", value), None


def find_legend(path: Path, root: Path) -> dict[str, str] | None:
    """Read the legend next to a text grid, or in a folder above it up to `root`; None if there is none."""
    for folder in (path.parent, *path.parent.parents):
        if (folder / LEGEND).is_file():
            return read_legend(folder / LEGEND)
        if folder == root:
            return None
    return None


def symbols_of(names: Sequence[str]) -> dict[str, str]:
    """Choose a character for each name: itself if it is one, the customary one of dungeons, or one of its letters.

    The choice depends on the names alone, so a grid can be read again without its legend.

    ```python
    symbols_of(["wall", "floor", "lamp"])  # {"#": "wall", ".": "floor", "l": "lamp"}
    ```
    """
    symbols: dict[str, str] = {}
    waiting = []
    for name in names:
        symbol = name if len(name) == 1 else _CUSTOMARY.get(name, "")
        if symbol and symbol not in symbols:
            symbols[symbol] = name
        else:
            waiting.append(name)
    spare = _characters()
    for name in waiting:
        letters = [c for c in (*name.lower(), *name.upper()) if c.isalpha() and c.isascii() and c not in symbols]
        symbols[letters[0] if letters else next(c for c in spare if c not in symbols)] = name
    order = {name: number for number, name in enumerate(names)}
    return dict(sorted(symbols.items(), key=lambda pair: order[pair[1]]))


def _characters() -> Iterator[str]:
    """Yield characters that show as one: printable, no space, no mark that joins the one before."""
    for point in range(0x21, 0x11_0000):
        character = chr(point)
        if character.isprintable() and not character.isspace() and not unicodedata.category(character).startswith("M"):
            yield character


def legend_text(symbols: Mapping[str, str]) -> str:
    quoted = ((json.dumps(part, ensure_ascii=False) for part in pair) for pair in symbols.items())
    return "".join(f"{symbol} = {name}\n" for symbol, name in quoted)


_NUMBER = re.compile(r"-1|\d{1,6}")
_NUMERIC = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?|nan|inf", re.IGNORECASE)
_JOINED = re.compile(r"-?\d+(\s*[\s|]\s*-?\d+)+")  # "0 1" or "0|1": numbers of several cells
SEPARATORS = ",;\t"
"""Separators of cells: a comma, or what spreadsheets write where a comma is in numbers."""


def read_csv_map(path: Path, name: str) -> TileMap:
    """Read a CSV of numbers of levels (-1 or nothing for an empty cell), or of names (nothing for an empty cell).

    The separator is a comma, a semicolon or a tab: the one that the text has. Where it ends every row, and no other
    cell is empty, it separates nothing.

    Raises:
        DataError: if it is not UTF-8 text, its rows differ in length, or it has numbers that cannot be levels.
    """
    text = read_text(path, "utf-8-sig", name=name)
    separators = [each for each in SEPARATORS if each in text]
    if len(separators) > 1 and '"' not in text:
        shown = " and ".join(repr(each) for each in separators)
        raise DataError(f"{name} has {shown} between its cells: write one separator, as a comma.")
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=(separators or [","])[0]) if row]
    except csv.Error as error:
        raise DataError(f"{name} is not valid CSV ({error}): write numbers of levels, separated by commas.") from error
    lengths = {len(row) for row in rows}
    if not rows:
        raise DataError(f"{name} is empty: write a row of cells for each row of the map.")
    if len(lengths) != 1:
        raise DataError(f"{name} has rows of {sorted(lengths)[:3]} cells: give every row the same number.")
    if len(rows[0]) > 1 and all(not row[-1].strip() and all(cell.strip() for cell in row[:-1]) for row in rows):
        rows = [row[:-1] for row in rows]
    check_cells(len(rows), len(rows[0]), name)
    cells = [cell.strip() for row in rows for cell in row]
    shape = len(rows), len(rows[0])
    if any(cells) and all(_NUMBER.fullmatch(cell or "-1") for cell in cells):
        numbers = np.array([int(cell or "-1") for cell in cells], np.int32).reshape(shape)
        if numbers.max() >= MAX_LEVELS:
            raise DataError(f"{name} has the number {numbers.max():,}: levels are numbered 0 to {MAX_LEVELS - 1:,}.")
        return TileMap(numbers)
    _check_names(cells, shape[1], name)
    names = tuple(sorted({cell for cell in cells if cell}))
    number = {cell: i for i, cell in enumerate(names)} | {"": EMPTY}
    return TileMap(np.array([number[cell] for cell in cells], np.int32).reshape(shape), names)


def _check_names(cells: Sequence[str], width: int, name: str) -> None:
    """Check cells that are not all numbers: numbers of levels only, one separator, and no row of headings.

    Raises:
        DataError: quoting the first cell that is wrong.
    """
    wrong = [cell for cell in cells if _NUMERIC.fullmatch(cell) and not _NUMBER.fullmatch(cell)]
    if wrong:
        raise DataError(
            f"{name} has the number {quote(wrong[0])}, which cannot be a level: write whole numbers from 0 on (-1 for "
            "an empty cell), or names in every cell."
        )
    if joined := next((cell for cell in cells if _JOINED.fullmatch(cell)), None):
        raise DataError(f"{name} has {quote(joined)} in a cell: separate cells by commas, semicolons or tabs.")
    there = [cell for cell in cells if cell]
    strange = [cell for cell in there if not _NUMBER.fullmatch(cell)]
    if len(strange) == 1 < len(there) - 1:
        raise DataError(
            f"{name} has {quote(strange[0])} among numbers: correct this cell, or write names in every cell."
        )
    if 1 < width < len(there) and strange == list(cells[:width]):
        raise DataError(f"{name} has the names {quote(', '.join(cells[:width]))} above numbers: leave out that row.")


def gslib_rows(text: str, name: str) -> tuple[str, list[str], list[list[str]]]:
    """Split a GSLIB file: a title, the number of columns, a name for each, then the rows.

    Raises:
        DataError: if it does not begin so.
    """
    lines = text.splitlines()
    try:
        count = int(lines[1].split()[0])
        names = [lines[2 + i].strip().lower() for i in range(count)]
    except (IndexError, ValueError) as error:
        raise DataError(
            f"{name} is not a GSLIB file: it must begin with a title, the number of columns, and the name of each."
        ) from error
    return lines[0], names, [line.split() for line in lines[2 + count :] if line.strip()]


def gslib_shape(title: str, count: int) -> tuple[int, int] | None:
    """Return height and width of a grid of one layer whose title has its cells along x and y; None for a list of cells.

    ```python
    gslib_shape("channels 60 40 1", 2400)  # (40, 60)
    ```
    """
    numbers = [int(each) for each in re.findall(r"\d{1,6}", title)]
    return next(((y, x) for x, y in itertools.pairwise(numbers) if x * y == count), None)


def read_gslib_map(path: Path, name: str) -> TileMap:
    """Read a GSLIB grid of one column of levels, along x first, from the lowest row up; negative ones are empty cells.

    Raises:
        DataError: if it is none, or has values that cannot be levels.
    """
    title, names, rows = gslib_rows(read_text(path, "utf-8-sig", name=name), name)
    shape, values = gslib_shape(title, len(rows)), [row[0] for row in rows if len(row) == 1]
    if shape is None or len(names) != 1 or len(values) != len(rows):
        raise DataError(
            f"{name} is not a grid of one column: write its cells along x and y in its title, as `channels 60 40 1`."
        )
    wrong = next((value for value in values if not re.fullmatch(r"-\S+|\d{1,6}(\.0*)?", value)), None)
    if wrong is not None:
        raise DataError(f"{name} has the value {quote(wrong)}, which cannot be a level: write whole numbers from 0 on.")
    cells = np.array([EMPTY if value.startswith("-") else int(float(value)) for value in values], np.int32)
    if cells.max(initial=0) >= MAX_LEVELS:
        raise DataError(f"{name} has the number {cells.max():,}: levels are numbered 0 to {MAX_LEVELS - 1:,}.")
    return TileMap(cells.reshape(shape)[::-1])


def read_text_map(path: Path, name: str, legend: Mapping[str, str] | None) -> TileMap:
    """Read a grid of characters, one line for each row; lines that are shorter end in empty cells.

    Args:
        legend: name of the level of each character; None names each level by its character.

    Raises:
        DataError: if it is not UTF-8 text, or has a character that is missing in the legend.
    """
    lines = read_text(path, "utf-8-sig", name=name).removesuffix("\n").replace("\r", "").split("\n")
    height, width = len(lines), max(map(len, lines))
    check_cells(height, width, name)
    result = sorted({character for line in lines for character in line})
    legend = {character: character for character in result} if legend is None else legend
    for character in result:
        if character not in legend:
            row = next(i for i, line in enumerate(lines) if character in line)
            raise DataError(
                f"{name} has {quote(character)} at row {row}, column {lines[row].index(character)}, which the legend "
                "does not name: add it, or correct the map."
            )
    names = tuple(dict.fromkeys(legend.values()))
    number = {character: names.index(level) for character, level in legend.items()}
    cells = np.full((height, width), EMPTY, np.int32)
    for row, line in enumerate(lines):
        cells[row, : len(line)] = [number[character] for character in line]
    return TileMap(cells, names)
