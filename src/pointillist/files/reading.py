"""Read what others wrote: ordinary files only, JSON and TOML of bounded depth and numbers, texts of bounded length.

The parsers of Python accept what no settings or metadata hold: thousands of nested brackets, integers of any length,
halves of characters. Here they are rejected in one place, each with one sentence.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pointillist.errors import CheckpointError, ConfigError, DataError, PointillistError, format_validation_error, quote
from pointillist.system import check_memory

if TYPE_CHECKING:
    from pydantic import BaseModel

MAX_DEPTH = 64
"""Deepest nesting of lists and tables."""
MAX_TOML_BYTES = 4 * 2**20
MAX_DOTS = 200
"""Dots in a line of TOML: the parser takes time that grows with the square of the parts of a key."""
_SMALL = 16 * 2**20  # bytes of a file that fits into any memory
_BYTES_PER_BYTE = 4  # of text in memory: up to 4 bytes a character
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}

Error = type[PointillistError]
Model = TypeVar("Model", bound="BaseModel")


def is_path(name: str, value: Any) -> None:
    """Reject what is not a path: an empty text would be the current folder; a `Rule`.

    ```python
    is_path("out", "")  # ConfigError: `out` (='') must be a path.
    ```

    Raises:
        ConfigError: naming the argument and its value.
    """
    if not isinstance(value, (str, PathLike)) or str(value) == "":
        raise ConfigError(f"`{name}` (={quote(value)}) must be a path.")
    if wrong := describe_impossible(value):
        raise ConfigError(f"`{name}` (={quote(value)}) {wrong}: check the path.")


def describe_impossible(path: str | PathLike[str]) -> str:
    """Say what keeps a path from being one: its length, NUL, or half of a character; "" if it may be one.

    ```python
    describe_impossible("a\0b")  # "has a character that no path has (embedded null byte)"
    ```
    """
    try:
        os.stat(path)
    except OSError as cause:
        return "is too long" if cause.errno == errno.ENAMETOOLONG else ""
    except ValueError as cause:
        return f"has a character that no path has ({cause})"
    return ""


def check_file(
    path: Path, error: Error = DataError, *, name: str | None = None, remedy: str = "check the path"
) -> None:
    """Reject what is not an ordinary file: reading a named pipe may wait for ever, and a device may have no end.

    ```python
    check_file(Path("gone.csv"))  # DataError: gone.csv does not exist: check the path.
    ```

    Args:
        path: the file.
        error: kind of error to raise.
        name: what it is called in a message; None for its path.
        remedy: advice at the end of the message, if nothing is there.

    Raises:
        PointillistError: of the kind `error`, naming what is there.
        OSError: if it cannot be looked at for another reason.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(f"{name or path} does not exist: {remedy}.") from cause
    except ValueError as cause:
        raise error(f"{name or path} {describe_impossible(path)}: {remedy}.") from cause
    for is_kind, kind in _KINDS.items():
        if is_kind(mode):
            raise error(f"{name or path} is {kind}: give an ordinary file.")


def read_text(
    path: Path,
    encoding: str = "utf-8",
    error: Error = DataError,
    *,
    name: str | None = None,
    remedy: str = "check the path",
) -> str:
    """Read an ordinary text file that fits in memory; with the arguments of `check_file`.

    Raises:
        DataError: if it does not fit in memory.
        PointillistError: of the kind `error`, if it is not an ordinary file, or cannot be read or decoded.
    """
    try:
        check_file(path, error, name=name, remedy=remedy)
        size = path.stat().st_size
        if size > _SMALL:
            check_memory(size * _BYTES_PER_BYTE, str(path), "split it into smaller files")
        return path.read_text(encoding=encoding)
    except OSError as cause:
        raise error(f"{name or path} cannot be read ({cause.strerror}): {remedy}.") from cause
    except UnicodeDecodeError as cause:
        raise error(f"{name or path} cannot be read as UTF-8 text ({cause}): save it as UTF-8.") from cause


def read_json(path: Path, remedy: str, error: Error = DataError, max_bytes: int | None = None) -> dict[str, Any]:
    """Read a file of a JSON object; see `read_text` and `parse_object`.

    Args:
        path: the file.
        remedy: advice at the end of a message.
        error: kind of error to raise.
        max_bytes: the largest size that is read; None for any.

    Raises:
        PointillistError: of the kind `error`, if it is too large, cannot be read, or is not valid.
    """
    if max_bytes is not None and path.is_file() and (size := path.stat().st_size) > max_bytes:
        raise error(f"{path} has {size:,} bytes, over the limit of {max_bytes:,}.")
    return parse_object(read_text(path, error=error, remedy=remedy), str(path), remedy, error)


def read_document(
    path: Path, what: str, form: str, versions: Sequence[int], max_bytes: int | None = None
) -> dict[str, Any]:
    """Read a JSON object that says its `format`, which is left out, and its `format_version`.

    Args:
        path: the file.
        what: description of its content, with an article.
        form: the format.
        versions: versions of it that are read.
        max_bytes: the largest size that is read; None for any.

    Raises:
        CheckpointError: if it cannot be read, or is of another format or version.
    """
    document = read_json(path, "copy or make it again", CheckpointError, max_bytes)
    if document.pop("format", None) != form:
        raise CheckpointError(f'{path} is not {what}: its "format" must be "{form}".')
    version = document.get("format_version")
    if version not in versions:
        raise CheckpointError(
            f"{path} has format version {version}, and this release reads {versions[-1]}: upgrade pointillist."
        )
    return document


def parse_object(text: str, name: str, remedy: str, error: Error = DataError) -> dict[str, Any]:
    """Parse a JSON object; see `parse_json`.

    Raises:
        PointillistError: of the kind `error`, if it is none.
    """
    result = parse_json(text, name, remedy, error)
    if not isinstance(result, dict):
        raise error(f"{name} is not valid, as it is not a JSON object: {remedy}.")
    return result


def parse_json(text: str, name: str, remedy: str, error: Error = DataError) -> Any:
    """Parse JSON.

    ```python
    parse_json('{"a": [1, 2]}', "settings.json", "correct it")  # {"a": [1, 2]}
    ```

    Args:
        text: the JSON.
        name: what it is called in messages.
        remedy: advice at the end of a message.
        error: kind of error to raise.

    Raises:
        PointillistError: of the kind `error`, if it is not valid, nested too deeply, or holds a value that no setting
            or metadata has.
    """
    return _parsed(json.loads, text, "JSON", name, remedy, error)


def parse_model(kind: type[Model], value: Any, what: str, name: str, remedy: str) -> Model:
    """Give JSON values a type.

    ```python
    parse_model(Legend, {"#": "wall"}, "a legend", "legend.json", "correct it").root  # {"#": "wall"}
    ```

    Args:
        kind: the type.
        value: the JSON values.
        what: description of them, with an article.
        name: name of their file in messages.
        remedy: advice at the end of a message.

    Raises:
        DataError: with the first value that does not fit.
    """
    from pydantic import ValidationError  # the help of the program waits for no library

    try:
        return kind.model_validate(value)
    except ValidationError as cause:
        reason = format_validation_error(cause, what).removesuffix(".")
        raise DataError(f"{name} cannot be read ({reason}): {remedy}.") from cause


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse TOML.

    ```python
    parse_toml("a = [1, 2]", "run.toml")  # {"a": [1, 2]}
    ```

    Raises:
        ConfigError: if it is not valid, nested too deeply, or holds an integer of more than 64 bits.
    """
    if len(text) > MAX_TOML_BYTES or any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ConfigError(
            f"{name} is larger than settings are, or has a line of more than {MAX_DOTS} dots: correct it."
        )
    import tomllib

    tree: dict[str, Any] = _parsed(tomllib.loads, text, "TOML", name, "correct it", ConfigError)
    return tree


def _parsed(parser: Callable[[str], Any], text: str, form: str, name: str, remedy: str, error: Error) -> Any:
    """Parse text of a form: at most `MAX_DEPTH` deep, with integers of 64 bits and whole characters."""
    try:
        value = parser(text)
        level, depth = [value], 0
        while level:  # all parts of one depth together: a program has tens of thousands
            if depth > MAX_DEPTH:
                raise RecursionError
            level, depth = _next_level(level), depth + 1
    except RecursionError as cause:
        raise error(f"{name} is nested more than {MAX_DEPTH} deep: {remedy}.") from cause
    except ValueError as cause:
        raise error(f"{name} is not valid {form} ({_reason(cause)}): {remedy}.") from cause
    return value


def _next_level(level: list[Any]) -> list[Any]:
    """Return the parts of the tables and lists of one depth; a `ValueError` for an integer or a text of no file."""
    deeper: list[Any] = []
    for part in level:
        if isinstance(part, str):
            if not part.isascii():
                part.encode()
        elif isinstance(part, dict):
            deeper += part
            deeper += part.values()
        elif isinstance(part, list):
            deeper += part
        elif isinstance(part, int) and not -(2**63) <= part < 2**63:
            raise ValueError("an integer has more than 64 bits")
    return deeper


def _reason(error: ValueError) -> str:
    """Word why a parser failed, without the text that it parsed."""
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a character"
    if "integer string conversion" in str(error):
        return "an integer has more than 64 bits"
    return str(error)


def is_utf8(text: str) -> bool:
    """Return True if text can be encoded: the name of a file may hold bytes that are not UTF-8."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


MAX_TEXT = 10_000
"""Longest caption or prompt, in characters: text encoders read its first hundred tokens or fewer."""
MAX_NAME = 500
"""Longest name of a class or of the value of an attribute, in characters."""


def check_texts(
    texts: Iterable[str], what: str, limit: int = MAX_TEXT, error: type[PointillistError] = ConfigError
) -> None:
    """Check that texts are not too long, and that each can be encoded.

    ```python
    check_texts(["a red dragon"], "`text`")
    ```

    Args:
        texts: captions, prompts or names.
        what: what one of them is called in messages.
        limit: longest text, in characters.
        error: kind of error to raise.

    Raises:
        PointillistError: of the kind `error`, quoting the first text that is wrong.
    """
    for text in texts:
        if len(text) > limit:
            raise error(
                f"{what} (={quote(text)}) has {len(text):,} characters, over the limit of {limit:,}: shorten it."
            )
        if not is_utf8(text):
            raise error(f"{what} (={quote(text)}) holds half of a character, which no file can store: correct it.")
        if "\0" in text:
            raise error(f"{what} (={quote(text)}) holds a NUL character, which nobody sees: take it out.")


Content = TypeVar("Content")
MAX_BYTES = 2**27
"""Bytes of the files of all folders that stay in memory; the folder that was read last stays in any case."""

_Files = tuple[tuple[str, int, int, int], ...]


class ReadOnce(Generic[Content]):
    """Contents of folders, each read again only when a file has another size or time of change.

    So a call by name is as fast as a call with an open model, and sees files that another process has written.

    ```python
    models = ReadOnce(ProgramModel.read)
    models(Path("digits")) is models(Path("digits"))  # True
    ```

    Args:
        read: reads a folder; what it raises is not kept.
    """

    def __init__(self, read: Callable[[Path], Content]) -> None:
        self._read = read
        self._contents: OrderedDict[str, tuple[_Files, Content]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, folder: Path) -> Content:
        key, files = os.path.abspath(folder), _files_of(folder)
        with self._lock:
            known = self._contents.get(key)
            if known is not None and known[0] == files:
                self._contents.move_to_end(key)
                return known[1]
        content = self._read(folder)
        if files == _files_of(folder):  # not while another process writes them
            with self._lock:
                self._contents[key] = files, content
                self._contents.move_to_end(key)
                while len(self._contents) > 1 and self._bytes() > MAX_BYTES:
                    self._contents.popitem(last=False)
        return content

    def _bytes(self) -> int:
        return sum(size for files, _ in self._contents.values() for _, size, *_ in files)


def _files_of(folder: Path) -> _Files:
    """List name, size, time of change and inode of the files of a folder; none if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats))
