"""Observed cells of a grid by their coordinates: hard data, whose level is known, and soft data, a probability a level.

A table has a row for each cell: a CSV with a header, a GSLIB file, or an `.npz` with a member for each column.

    x,y,facies,p_sand
    12,7,sand,
    30,5,,0.8
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointillist.data.options import parse_size
from pointillist.data.readers.numpy_files import NpzFile
from pointillist.data.tilemaps.text_grids import gslib_rows, gslib_shape
from pointillist.errors import ConfigError, DataError, counted, quote
from pointillist.files.reading import read_text
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int
from pointillist.system import check_memory

CELL_FILES = (".csv", ".dat", ".gslib", ".out", ".npz")
"""Endings of tables of cells."""
VALUES = ("value", "class", "facies", "level", "code")
"""Names of the column of the level; else it is the only column that is left."""
_ROWS, _COLUMNS, _X, _Y, _SOFT = ("row",), ("column", "col"), ("x", "easting"), ("y", "northing"), "p_"


@dataclass(frozen=True, eq=False)
class ObservedCells:
    """Observed cells of a grid of one channel.

    ```python
    cells = read_cells("holes.csv", model.image, (48, 48))
    pt.inpaint(model, cells, n=100)
    ```

    Attributes:
        levels: level of each cell; 0 where it is not known.
        known: cells whose level is known.
        soft: factor of the probability of each level at each cell, 1 where nothing is known; None without soft data.
        notes: sentences on rows that have neither, and on columns that are not read.
    """

    levels: Int[np.ndarray, "1 h w"]
    known: Bool[np.ndarray, "h w"]
    soft: Float[np.ndarray, "h w k"] | None = None
    notes: tuple[str, ...] = ()


def read_cells(
    path: str | Path,
    image: ImageSpec,
    size: int | tuple[int, int] | None = None,
    *,
    origin: tuple[float, float] = (0.0, 0.0),
    cell: float = 1.0,
) -> ObservedCells:
    """Read a table of cells.

    The columns `row` and `column` count from 0 at the upper left cell; `x` and `y` (`easting` and `northing`) measure
    to the right and upwards from `origin`, the lower left corner of the grid. A GSLIB grid has neither, but its cells
    along x and y in its title. A level is a number or a name in `level_names`. A cell without a level may
    have the probability of a level in a column `p_LEVEL`; levels without a column share what is left. A row without
    either, or with a negative level in a GSLIB file, is not known.

    Args:
        path: a CSV, GSLIB or `.npz` file.
        image: what the levels mean.
        size: height and width of the grid, or both in one number; None for the size of the image.
        origin: x and y of the lower left corner of the grid.
        cell: side of a cell, in the units of x and y.

    Raises:
        DataError: naming the row that is outside of the grid, has an unknown level or contradicts another one; or for
            an origin or a cell of a table that has rows and columns.

    Example:
        read_cells("holes.csv", model.image, (100, 100)).known.sum()
    """
    if not isinstance(path, (str, Path)) or not isinstance(image, ImageSpec):
        wrong = ("path", path) if isinstance(image, ImageSpec) else ("image", image)
        raise ConfigError(f"`{wrong[0]}` (={quote(wrong[1])}) must be the path of a table, and then an `ImageSpec`.")
    if image.channels != 1:
        raise DataError(f"{path} holds cells of one level, and the images of the model have {image.channels} channels.")
    path, (height, width) = Path(path), (image.height, image.width) if size is None else parse_size(size)
    if not (cell > 0 and math.isfinite(cell + sum(origin))):
        raise ConfigError(f"`cell` (={cell}) must be above 0, and `origin` (={origin}) two numbers.")
    table = _Table(path, _read_columns(path), image, (height, width), (*origin, cell))
    numbers = 2 + image.levels * table.is_soft  # of a cell; soft data of many levels are the most by far
    check_memory(8 * height * width * numbers, f"a grid of {height:,}x{width:,} cells", "give a smaller `size`")
    skipped, levels, known = 0, np.zeros((1, height, width), np.int64), np.zeros((height, width), bool)
    soft, places = np.ones((height, width, image.levels * table.is_soft)), dict[tuple[int, int], int]()
    for number, place in enumerate(table.places()):
        level, factors = table.level(number), table.factors(number)
        if level is None and factors is None:
            skipped += 1
            continue
        if level is not None and factors is not None:
            raise DataError(f"{table.name(number)} has a level and probabilities of levels: give one of the two.")
        other = places.setdefault(place, number)
        if other != number and (not known[place] or level != levels[0][place]):
            raise DataError(
                f"{path}, rows {other + 1} and {number + 1}, lie in one cell and differ: keep one of them, or use a "
                "finer grid."
            )
        if level is not None:
            levels[0][place], known[place] = level, True
        else:
            soft[place] = factors
    if not places:
        raise DataError(f"{path} holds no cells: give a row for each, or use `pointillist sample`.")
    notes = [f"{counted(skipped, 'row')} of {path} without a level are not known"] if skipped else []
    notes += [f"columns of {path} that are not read: {', '.join(table.unread)}"] if table.unread else []
    return ObservedCells(levels, known, None if (soft == 1).all() else soft, tuple(notes))


class _Table:
    """The columns of a table, read row by row; a message names the row as its file counts it."""

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, Sequence[str]],
        image: ImageSpec,
        size: tuple[int, int],
        grid: tuple[float, float, float],
    ) -> None:
        self._path, self._columns, self._image, self._size, self._grid = path, columns, image, size, grid
        self._rows = self._chosen(_ROWS), self._chosen(_COLUMNS)
        self._xy = self._chosen(_X), self._chosen(_Y)
        if (None in self._rows) == (None in self._xy):
            raise DataError(
                f"{path} has the columns {', '.join(columns)}: give row and column, or x and y, and not both."
            )
        if None in self._xy and grid != (0.0, 0.0, 1.0):
            raise DataError(f"{path} has rows and columns, and `origin` and `cell` measure x and y: leave them out.")
        if len(set(columns.get("z", ()))) > 1:
            raise DataError(f"{path} has several values of z, and the grid has one layer: give its rows alone.")
        self._soft = {name: self._number(name.removeprefix(_SOFT), name) for name in columns if name.startswith(_SOFT)}
        self.is_soft = bool(self._soft)  # a column has probabilities of a level
        places = {*_ROWS, *_COLUMNS, *_X, *_Y, "z", *self._soft}
        rest = [name for name in columns if name not in places]
        self._value = self._chosen(VALUES) or (rest[0] if len(rest) == 1 else None)
        if self._value is None and not self._soft:
            raise DataError(f"{path} has no column of levels: call it {' or '.join(VALUES[:3])}.")
        self.unread = [name for name in rest if name != self._value]

    def _chosen(self, names: Sequence[str]) -> str | None:
        return next((name for name in names if name in self._columns), None)

    def name(self, number: int) -> str:
        """Name a row in a message."""
        return f"{self._path}, row {number + 1},"

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield the row and the column of each cell of the grid."""
        (row, column), (x, y), (height, width) = self._rows, self._xy, self._size
        counted, (left, bottom, side) = row is not None and column is not None, self._grid
        for number in range(len(next(iter(self._columns.values())))):
            across = math.floor((self._coordinate(column if counted else x, number) - left) / side)
            down = math.floor((self._coordinate(row if counted else y, number) - bottom) / side)
            place = (down if counted else height - 1 - down), across
            if not (0 <= place[0] < height and 0 <= place[1] < width):
                shown = f"row {down}, column {across}" if counted else f"x {across}, y {down}"
                raise DataError(
                    f"{self.name(number)} lies at {shown}, outside the grid of {height}x{width} cells: leave it out, "
                    "or give a larger `size`, or the `origin` of the grid and the side of its `cell`."
                )
            yield place

    def level(self, number: int) -> int | None:
        """Return the level of a row; None if it is missing."""
        text = "" if self._value is None else self._columns[self._value][number].strip()
        missing = text.lower() in ("", "nan") or (self._path.suffix.lower() != ".csv" and text.startswith("-"))
        return None if missing else self._number(text, self.name(number))

    def factors(self, number: int) -> Float[np.ndarray, " k"] | None:
        """Return the probability of each level of a row; None if it has none."""
        texts = {level: self._columns[name][number].strip() for name, level in self._soft.items()}
        shares = {level: self._float(text, number) for level, text in texts.items() if text.lower() not in ("", "nan")}
        if not shares:
            return None
        total, left = sum(shares.values()), self._image.levels - len(shares)
        if min(shares.values()) < 0 or total > 1 + 1e-6 or (not left and abs(total - 1) > 1e-3):
            raise DataError(f"{self.name(number)} has probabilities that sum to {total:g}: they must sum to 1.")
        result = np.full(self._image.levels, max(0.0, 1 - total) / max(1, left))
        result[list(shares)] = list(shares.values())
        return result

    def _number(self, text: str, where: str) -> int:
        """Return the number of a level, given as a number or a name."""
        names, count = self._image.level_names or (), self._image.levels
        if text in names:
            return names.index(text)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (value == value // 1 and 0 <= value < count):
            listed = f"{', '.join(names[:8])} or " if names else ""
            raise DataError(
                f"{where.rstrip(',')} has the level {quote(text)}: it must be {listed}a number from 0 to {count - 1}."
            )
        return int(value)

    def _coordinate(self, name: str | None, number: int) -> float:
        assert name is not None
        return self._float(self._columns[name][number], number)

    def _float(self, text: str, number: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"{self.name(number)} has {quote(text)} where a number is needed.")
        return value


def _read_columns(path: Path) -> dict[str, list[str]]:
    """Read a table as text, by the name of each column in lower case.

    Raises:
        DataError: if it cannot be read, or its rows differ in length.
    """
    if path.suffix.lower() == ".npz":
        file = NpzFile(path)
        arrays = {name.lower(): file.read(name) for name in file.names}
        if any(array.ndim != 1 for array in arrays.values()) or len({len(array) for array in arrays.values()}) > 1:
            raise DataError(f"{path} must hold a column of numbers or names in each member, all of one length.")
        return {name: [str(value) for value in array.tolist()] for name, array in arrays.items()}
    text = read_text(path, "utf-8-sig")
    if path.suffix.lower() == ".csv":
        names, rows = _csv_rows(text)
    else:
        title, names, rows = gslib_rows(text, str(path))
        shape = gslib_shape(title, len(rows))
        if shape is not None and not {*names} & {*_ROWS, *_COLUMNS, *_X, *_Y}:
            names = [*names, "row", "column"]
            rows = [[*row, f"{shape[0] - 1 - i // shape[1]}", f"{i % shape[1]}"] for i, row in enumerate(rows)]
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise DataError(f"{path}, row {number + 1}, has {len(row)} columns, and the header {len(names)}.")
    if len(set(names)) != len(names) or not names:
        raise DataError(f"{path} must begin with the name of each column, each once.")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _csv_rows(text: str) -> tuple[list[str], list[list[str]]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(part.strip() for part in row)]
    return [name.strip().lower() for name in rows[0]] if rows else [], rows[1:]
