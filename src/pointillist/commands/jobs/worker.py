"""The work of one process: it opens the job once, and computes one task after the other. A manifest rejects other work.

Batches are fixed by the numbers of the items, and a task is a range of batches. So an item is always computed in the
same batch, whatever the number of tasks and processes, and has the same bits.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from pointillist import system
from pointillist.commands.jobs.folder import MANIFEST, JobFolder, JobSpec, Manifest, Row
from pointillist.commands.jobs.settings import functions_of, job_settings
from pointillist.commands.report import Arrays, Work
from pointillist.commands.settings import to_dict
from pointillist.errors import (
    CausalityError,
    CheckpointError,
    ConfigError,
    EngineError,
    MissingExtraError,
    PointillistError,
    quote,
    shorten,
)
from pointillist.files.writing import write_text
from pointillist.system import __version__, check_memory

_PLACES = {"model", "data", "image", "files", "mask", "texts", "hint"}
"""Settings that say where something is: what is there is compared by its fingerprint, so it may move."""


def write_or_compare(folder: JobFolder, wanted: Manifest) -> None:
    """Write the manifest of a new job, unless another process has done so; compare the one that is there.

    Raises:
        ConfigError: naming the first difference.
    """
    files = folder.path.iterdir() if folder.path.exists() else ()
    others = [path.name for path in files if not path.name.startswith(".")]  # before another process writes
    if not folder.exists:
        if others:
            raise ConfigError(f"{folder.path} holds other files and no job: give a new folder.")
        temporary = folder.path / f".{MANIFEST}.{os.getpid()}"
        write_text(temporary, wanted.model_dump_json(indent=2) + "\n")
        try:
            os.link(temporary, folder.path / MANIFEST)
        except FileExistsError:
            pass
        except OSError:  # a disk without hard links
            write_text(folder.path / MANIFEST, wanted.model_dump_json(indent=2) + "\n")
        finally:
            temporary.unlink(missing_ok=True)
    for name, old, new in _values(folder.manifest(), wanted):
        if old != new:
            raise ConfigError(
                f"{folder.path} is a job with `{name}` {quote(old)}, now {quote(new)}: give the same command, or "
                "another folder."
            )


def _values(actual: Manifest, wanted: Manifest) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name and both values of each setting, fact and field of two manifests."""
    tables = ("settings", "facts", "hardware")
    for table in tables:
        old, new = getattr(actual, table), getattr(wanted, table)
        names = {**new, **old}.keys() - (_PLACES if table == "settings" else ())
        yield from ((name, old.get(name), new.get(name)) for name in names)
    yield from ((name, getattr(actual, name), new) for name, new in wanted if name not in tables)


def hardware(device: str, *, needs_torch: bool) -> dict[str, str]:
    """Describe what rounding depends on apart from the settings: versions, and the instructions of the processor."""
    result = {"pointillist": __version__, "numpy": np.__version__, "processor": system.processor()}
    if not needs_torch:
        return result
    import torch

    on_gpu = device != "cpu" and torch.cuda.is_available()
    unit = torch.cuda.get_device_name() if on_gpu else torch.backends.cpu.get_cpu_capability()
    return {**result, "torch": torch.__version__, "unit": unit}


_START = 60.0  # more seconds for the first batch of a process, in which engines are loaded
EXIT_EXPIRED = 75
"""Exit code of a process that stops at an item whose time is over; started again, it continues after the item."""
_NOT_OF_AN_ITEM = (ConfigError, CheckpointError, EngineError, CausalityError, MissingExtraError, MemoryError)
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS}


class Worker:
    """A process that computes tasks.

    ```python
    Worker(spec).run_share(rank=0, world=1)
    ```

    Args:
        spec: the job.

    Attributes:
        folder: the folder of the job.
        manifest: its manifest, which was written or compared.

    Raises:
        PointillistError: if the model or the items cannot be opened, or the folder holds another job.
    """

    def __init__(self, spec: JobSpec) -> None:
        settings = job_settings(spec.job, spec.settings, spec.threads)
        self.folder: JobFolder = JobFolder(spec.out)
        self._work: Work = functions_of(spec.job).job(settings)
        if self._work.needs_torch:
            import torch

            torch.set_num_threads(spec.threads)
        items = -(-self._work.count // spec.tasks)
        held = f"A task of {shorten(f'{items:,}', 40)} items"
        check_memory(2 * items * self._work.item_bytes, held, "give more tasks, or fewer images")  # 2: they are joined
        self._time_limit, self._grace = spec.time_limit, _START
        self.manifest: Manifest = Manifest(
            job=spec.job,
            settings=to_dict(settings),
            tasks=spec.tasks,
            threads=spec.threads,
            count=self._work.count,
            facts=json.loads(json.dumps(self._work.facts)),
            skipped=dict(self._work.skipped),
            hardware=hardware(getattr(settings, "device", "cpu"), needs_torch=self._work.needs_torch),
        )
        write_or_compare(self.folder, self.manifest)

    def run_share(self, rank: int, world: int) -> None:
        """Compute every `world`-th task from number `rank` on, and then those that no other process computes now."""
        for task in sorted(range(self.manifest.tasks), key=lambda task: (task % world != rank, task)):
            self.run_task(task)

    def run_task(self, task: int) -> None:
        """Compute a task, unless it is finished or another process computes it."""
        if self.folder.is_finished(task):
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(self.folder.lock(task))
            except ConfigError:
                return
            if not self.folder.is_finished(task):
                self._run_task(task)

    def _run_task(self, task: int) -> None:
        result: list[Arrays] = []
        rejected: list[Row] = []
        for start, stop in batches_of_task(task, self.manifest.tasks, self._work.count, self._work.batch_size):
            self._run_batch(task, start, stop, result, rejected)
        self.folder.finish(task, _joined(result), rejected)

    def _run_batch(self, task: int, start: int, stop: int, batches: list[Arrays], rejected: list[Row]) -> None:
        """Compute a batch; retry item by item if one failed, or if a process was stopped at it."""
        quarantined = [row for row in self.folder.quarantined(task) if start <= row["start"] < stop]
        if not quarantined:
            with suppress(_ItemError):
                batches.append(self._compute(task, start, stop))
                return
        reasons = {row["start"]: row["reason"] for row in quarantined if row["stop"] - row["start"] == 1}
        for item in range(start, stop):
            reason, files = reasons.get(item), self._work.files
            if reason is None:
                try:
                    batches.append(self._compute(task, item, item + 1))
                except _ItemError as error:
                    reason = str(error)
            if reason is not None:
                rejected.append({"item": item, "file": None if files is None else files[item], "reason": reason})

    def _compute(self, task: int, start: int, stop: int) -> Arrays:
        self.folder.begin(task, start, stop)
        try:
            with self._limit(task, start, stop):
                arrays = self._work.compute(start, stop)
        except Exception as error:
            if isinstance(error, _NOT_OF_AN_ITEM) or _is_of_the_machine(error):
                raise
            raise _ItemError(describe(error)) from error
        return {"item": np.arange(start, stop), **arrays}

    @contextmanager
    def _limit(self, task: int, start: int, stop: int) -> Iterator[None]:
        """End the process if the items take too long: no other way stops every kind of work."""
        if self._time_limit is None:
            yield
            return
        seconds, self._grace = self._time_limit * (stop - start) + self._grace, 0.0

        def expire() -> None:
            self.folder.suspect(task, start, stop, f"took longer than {self._time_limit:g} s")
            os._exit(EXIT_EXPIRED)

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class _ItemError(Exception):
    """An item, or one of a batch, cannot be computed."""


def batches_of_task(task: int, tasks: int, count: int, batch_size: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last item but one of each batch of a task.

    ```python
    list(batches_of_task(task=1, tasks=2, count=10, batch_size=4))  # [(4, 8), (8, 10)]
    ```
    """
    total = -(-count // batch_size)
    batches = range(task * total // tasks, (task + 1) * total // tasks)
    yield from ((number * batch_size, min(count, (number + 1) * batch_size)) for number in batches)


def describe(error: BaseException) -> str:
    """Word why an item was rejected: a sentence of this package, or the kind of error with its first line."""
    if isinstance(error, PointillistError):
        return str(error)
    lines = str(error).splitlines()
    return shorten(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def _is_of_the_machine(error: Exception) -> bool:
    return (isinstance(error, OSError) and error.errno in _OF_THE_MACHINE) or type(error).__name__ == "OutOfMemoryError"


def _joined(batches: list[Arrays]) -> Arrays:
    if not batches:
        return {"item": np.empty(0, np.int64)}
    return {name: np.concatenate([arrays[name] for arrays in batches]) for name in batches[0]}
