"""Output that is made batch by batch, and continued after any interruption by the same command.

While it is made, the output is a hidden folder next to its path, with

    progress.json    the settings that the items depend on, such as the fingerprint of the model
    rows.jsonl       a row for each finished item, appended when the files of its batch are written

The same settings continue it after the last whole batch. Other settings are rejected, so nothing is mixed or lost.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from pointillist.errors import ConfigError, quote
from pointillist.files.reading import parse_json, read_json
from pointillist.files.writing import atomic_path, exclusive, reject_stream, write_text

PROGRESS = "progress.json"
ROWS = "rows.jsonl"


class BatchOutput:
    """An output in progress.

    Attributes:
        folder: the hidden folder, for the files of the items.
        done: number of items that are finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: int = sum(1 for _ in _whole_lines(folder / ROWS))

    def keep(self, batch_size: int) -> int:
        """Drop the rows of a batch that is not whole, and return how many items are finished.

        An item is made in the same batch as without an interruption, so it has the same bits.
        """
        self.done -= self.done % batch_size
        with atomic_path(self.folder / ROWS) as rows, rows.open("w", encoding="utf-8") as file:
            file.writelines(islice(_whole_lines(self.folder / ROWS), self.done))
        return self.done

    def rows(self) -> Iterator[Any]:
        """Read the row of each finished item, JSON values."""
        for line in _whole_lines(self.folder / ROWS):
            yield parse_json(line, str(self.folder / ROWS), f"delete {self.folder}", ConfigError)

    def append(self, rows: Sequence[Any]) -> None:
        """Record the items of a batch, whose files are written."""
        with (self.folder / ROWS).open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        self.done += len(rows)

    def extend(self, file: str, size: int, content: bytes) -> None:
        """Append to a file of the folder, which has `size` bytes of the items that are finished.

        Raises:
            ConfigError: if it has less.
        """
        path = self.folder / file
        if (path.stat().st_size if path.exists() else 0) < size:
            raise ConfigError(f"{path} is damaged: delete {self.folder}, and run the command again.")
        with path.open("ab") as stream:
            stream.truncate(size)  # behind it is a batch that was not whole
            stream.write(content)

    def discard(self) -> None:
        """Remove the folder: the output is finished elsewhere."""
        shutil.rmtree(self.folder)


def unfinished(out: Path) -> dict[str, object] | None:
    """Return the settings of an unfinished output; None if there is none.

    Raises:
        ConfigError: if its file is damaged.
    """
    path = progress_folder(out) / PROGRESS
    if not path.exists():
        return None
    return read_json(path, f"delete {path.parent}", ConfigError)


def progress_folder(out: Path) -> Path:
    return _sibling(out, "partial")


def output_lock(out: Path) -> AbstractContextManager[None]:
    """Lock a file or folder that a command writes; see `exclusive`.

    Raises:
        ConfigError: if it is a device or a pipe.
    """
    reject_stream(out)
    return exclusive(_sibling(out, "lock"), out)


def _sibling(out: Path, kind: str) -> Path:
    out = Path(os.path.abspath(out))
    return out.parent / f".{out.name}.{kind}"


@contextmanager
def batch_output(out: Path, settings: Mapping[str, object], *, restart: bool = False) -> Iterator[BatchOutput]:
    """Make an output, or continue one that was interrupted. At the end of the block, the caller has finished it.

    ```python
    with batch_output(Path("numbers.txt"), {"seed": 0}) as output:
        for start in range(output.keep(10), 100, 10):
            output.append([i * i for i in range(start, start + 10)])
        write_text(Path("numbers.txt"), str(list(output.rows())))
        output.discard()
    ```

    Args:
        out: the file or folder that is made.
        settings: all that the items depend on, JSON values.
        restart: discard an unfinished output of other settings, instead of raising an error.

    Raises:
        ConfigError: if another process makes this output, or an unfinished one has other settings.
    """
    wanted = json.loads(json.dumps(settings))
    folder = progress_folder(out)
    with output_lock(out):
        result = unfinished(out)
        if result is not None and result != wanted:
            if not restart:
                raise ConfigError(_difference(out, result, wanted))
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / PROGRESS, json.dumps(wanted, indent=2) + "\n")
        output = BatchOutput(folder)
        try:
            yield output
        except BaseException:
            if not output.done:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _difference(out: Path, actual: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    name = next(name for name in {**wanted, **actual} if actual.get(name) != wanted.get(name))
    return (
        f"{out} is unfinished, begun with `{name}` {quote(actual.get(name))}, now {quote(wanted.get(name))}: finish it "
        f"by the same command, or delete {progress_folder(out)}, or give another path."
    )


def _whole_lines(path: Path) -> Iterator[str]:
    """Read the lines of a file; the last one may be cut where the process was killed."""
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line for line in file if line.endswith("\n"))
