"""Names of levels, and the characters that stand for them in text grids."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pointillist.errors import ConfigError, DataError, quote
from pointillist.files.reading import MAX_NAME, check_texts, parse_toml, read_json, read_text
from pointillist.files.settings_tree import split_names

LEGENDS = ("legend.toml", "legend.json")
"""Names of the files next to text grids that say what their characters mean."""
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
    if path.suffix.lower() == ".json":
        result = read_json(path, 'write {"#": "wall", ...}')
    else:
        try:
            result = parse_toml(read_text(path, "utf-8-sig", name=f"The legend {path}"), str(path))
        except ConfigError as error:
            raise DataError(str(error)) from error
    if not isinstance(result, dict) or not result:
        raise DataError(f'The legend {path} must be a table of characters and names, such as "#" = "wall".')
    for character, name in result.items():
        if len(character) != 1 or not isinstance(name, str) or not name:
            raise DataError(
                f"The legend {path} has {quote(character)} = {quote(name)}: write a character and a name, as "
                '"#" = "wall".'
            )
    check_texts(result.values(), f"A name in the legend {path}", MAX_NAME, DataError)
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
        result = next((folder / name for name in LEGENDS if (folder / name).is_file()), None)
        if result is not None:
            return read_legend(result)
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
