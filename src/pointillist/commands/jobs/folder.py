"""The folder of a job.

    manifest.json       what is computed: kind, settings, number of tasks, fingerprint of the model, versions
    parts/00003.npz     results of a task
    rejected/00003.jsonl    items of a task that could not be computed, with the reason
    completions/00003   size and SHA-256 of the part: the task is finished
    quarantined/00003.jsonl items at which a process was stopped; only while the task is not finished
    running/00003       process and items that are computed now
    rejected.jsonl      all rejected items, once all tasks are finished

Every file is written under another name and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from pointillist.commands.report import Arrays
from pointillist.errors import ConfigError, JobError
from pointillist.files.reading import parse_json, read_json
from pointillist.files.writing import atomic_path, exclusive, write_text
from pointillist.sampling.config import FORM_VERSION

MANIFEST = "manifest.json"
REJECTED = "rejected.jsonl"
MAX_TASKS = 99_999
"""Most tasks of a job: each has four files."""
Row = dict[str, Any]


class JobSpec(BaseModel):
    """A job: what is computed, into which folder, in how many tasks.

    ```python
    JobSpec(job="sample", settings={"model": "digits", "n": 1000}, out=Path("many"), tasks=8)
    ```

    Attributes:
        job: name of its kind.
        settings: see the settings of its kind.
        out: the folder.
        tasks: number of tasks.
        threads: of each process.
        time_limit: seconds that an item may take, and a batch as many times; None for any time. Results that are within
            it do not depend on it.
    """

    job: str
    settings: dict[str, JsonValue]
    out: Path
    tasks: int
    threads: int = 1
    time_limit: float | None = None


class Manifest(BaseModel):
    """All that the results of a job depend on.

    Attributes:
        format, version: of this kind of file.
        job: kind of the job.
        settings: settings of its command.
        tasks, threads: see `run`.
        count: number of items.
        facts, skipped: see `Work`.
        hardware: versions, and the instructions of the processor.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["pointillist job"] = "pointillist job"
    version: int = Field(FORM_VERSION, ge=FORM_VERSION, le=FORM_VERSION)
    job: str
    settings: dict[str, JsonValue]
    tasks: int = Field(ge=1, le=MAX_TASKS)
    threads: int
    count: int = Field(ge=0)
    facts: dict[str, JsonValue]
    skipped: dict[str, str]
    hardware: dict[str, str]


@dataclass(frozen=True)
class JobFolder:
    """The files of a job; iterating reads the results of one task after the other, in the order of the items.

    ```python
    sum(len(part["item"]) for part in JobFolder(Path("scores")))  # 1000
    ```
    """

    path: Path

    @property
    def exists(self) -> bool:
        return (self.path / MANIFEST).exists()

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            ConfigError: if it is absent or damaged.
        """
        path = self.path / MANIFEST
        if not self.exists:
            raise ConfigError(f"{self.path} holds no job: give a folder that `pointillist jobs` has written.")
        try:
            return Manifest.model_validate(read_json(path, f"delete {self.path}", ConfigError))
        except ValidationError as error:
            sentence = f"{path} is not the manifest of a job: delete {self.path}, or give another folder."
            raise ConfigError(sentence) from error

    def __iter__(self) -> Iterator[Arrays]:
        """Read the parts that are not empty; each has `item`, the numbers of its items.

        Raises:
            JobError: if a file is damaged.
        """
        parts = map(self.part, range(self.manifest().tasks))
        return (part for part in parts if len(part["item"]))

    def pending(self, tasks: int) -> list[int]:
        return [task for task in range(tasks) if not self.is_finished(task)]

    def is_finished(self, task: int) -> bool:
        """Return True if a task is finished and its part has the size that was written."""
        try:
            size = self._file("parts", task, ".npz").stat().st_size
            written = self._file("completions", task).read_text(encoding="utf-8").split()
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            return False
        return written[:1] == [str(size)]

    def is_free(self, task: int) -> bool:
        """Return True if no process computes a task now."""
        try:
            with self.lock(task):
                return True
        except ConfigError:
            return False

    def lock(self, task: int) -> AbstractContextManager[None]:
        """Lock a task; see `exclusive`. Without locks, two processes would write the same bytes."""
        return exclusive(self._file("running", task, ".lock"), self._file("parts", task, ".npz"))

    def finish(self, task: int, arrays: Arrays, rejected: Sequence[Row]) -> None:
        """Write the results of a task, and then its marker."""
        with atomic_path(self._file("parts", task, ".npz")) as temporary:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            content = temporary.read_bytes()
        write_text(self._file("rejected", task, ".jsonl"), _lines(rejected))
        write_text(self._file("completions", task), f"{len(content)} {hashlib.sha256(content).hexdigest()}")
        self._file("quarantined", task, ".jsonl").unlink(missing_ok=True)
        self._file("running", task).unlink(missing_ok=True)

    def begin(self, task: int, start: int, stop: int) -> None:
        """Record which items this process computes now."""
        path = self._file("running", task)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{os.getpid()} {start} {stop}", encoding="utf-8")

    def running(self, process: int) -> tuple[int, int, int] | None:
        """Return the task and the items that a process of this machine computes; None if there is none."""
        for path in sorted((self.path / "running").glob("[0-9]*[0-9]")):
            numbers = path.read_text(encoding="utf-8").split()
            if len(numbers) == 3 and numbers[0] == str(process):
                return int(path.name), int(numbers[1]), int(numbers[2])
        return None

    def suspect(self, task: int, start: int, stop: int, reason: str) -> None:
        """Record items at which a process was stopped: several are then computed one by one, a single one is rejected.

        Args:
            reason: completes "The item ...".
        """
        path = self._file("quarantined", task, ".jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"start": start, "stop": stop, "reason": reason}) + "\n")

    def quarantined(self, task: int) -> list[Row]:
        """Return the quarantined items of a task, with `start`, `stop` and `reason`."""
        return list(_rows(self._file("quarantined", task, ".jsonl")))

    def rejected(self) -> list[Row]:
        """Return the rejected items of all finished tasks, in their order; those that could not be read come first."""
        manifest = self.manifest()
        rows = [{"item": None, "file": name, "reason": reason} for name, reason in manifest.skipped.items()]
        finished = filter(self.is_finished, range(manifest.tasks))
        return rows + [row for task in finished for row in _rows(self._file("rejected", task, ".jsonl"))]

    def part(self, task: int) -> Arrays:
        """Read the results of a finished task.

        Raises:
            JobError: if the file is missing or damaged.
        """
        path, marker = self._file("parts", task, ".npz"), self._file("completions", task)
        try:
            digest = marker.read_text(encoding="utf-8").split()[1]
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    raise ValueError("it is not the part that the task wrote")
                file.seek(0)
                with np.load(file, allow_pickle=False) as archive:
                    return {name: archive[name] for name in archive.files}
        except Exception as error:  # numpy and zipfile raise many kinds
            raise JobError(f"{path} is damaged ({error}): delete {marker}, and run the job again.") from error

    def conclude(self) -> None:
        """Write all rejected items into one file, and remove unfinished files, once all tasks are finished."""
        if rows := self.rejected():
            write_text(self.path / REJECTED, _lines(rows))
        for path in self.path.glob("*/.*"):
            path.unlink(missing_ok=True)

    def _file(self, kind: str, task: int, suffix: str = "") -> Path:
        return self.path / kind / f"{task:05d}{suffix}"


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _rows(path: Path) -> Iterator[Row]:
    """Read the whole lines of a file of JSON; the last one may be cut where a process was killed."""
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.endswith("\n"):
                yield parse_json(line, str(path), f"delete {path}", ConfigError)
