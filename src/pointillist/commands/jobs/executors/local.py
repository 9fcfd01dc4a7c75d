"""Run a job in processes of this machine. A process that is killed, or stops at an item, is started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import TracebackType

from pointillist import errors
from pointillist.commands.jobs.folder import JobFolder
from pointillist.commands.jobs.process import EXIT_REJECTED
from pointillist.commands.jobs.settings import JobSpec
from pointillist.errors import JobError, PointillistError
from pointillist.files.progress import Bar

_POLL = 0.05  # seconds
_WAIT = 0.5  # seconds between two looks at the tasks of other processes
_MAX_RESTARTS = 5  # starts of processes without any progress
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
"""Signals by which an item ends a process; SIGKILL comes from outside."""


def run_local(spec: JobSpec, workers: int) -> None:
    """Run all tasks that are not finished.

    Args:
        spec: the job.
        workers: number of processes.

    Raises:
        PointillistError, OSError, MemoryError: as raised in a process.
        JobError: if processes end again and again without any progress, or by an unexpected error.
    """
    with _Processes(spec, workers) as processes, Bar("tasks", spec.tasks) as bar:
        ranks = range(max(1, min(workers, len(processes.folder.pending(spec.tasks)))))
        for rank in ranks:
            processes.start(rank)  # all open the job at the same time
        processes.release(0)
        processes.wait_for_first()
        for rank in ranks[1:]:
            processes.release(rank)
        while not processes.are_done():
            bar.show(spec.tasks - len(processes.folder.pending(spec.tasks)))
            time.sleep(_POLL)


class _Processes:
    """The processes of a job; leaving the block ends them."""

    def __init__(self, spec: JobSpec, workers: int) -> None:
        self.folder = JobFolder(spec.out)
        self._spec, self._workers = spec, workers
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._progress, self._starts = (-1, -1), 0

    def __enter__(self) -> _Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.communicate()

    def start(self, rank: int) -> None:
        """Start the process of a rank, which opens the job and waits for `release`.

        Raises:
            JobError: if the last starts led to nothing.
        """
        progress = self._measure_progress()
        self._starts = self._starts + 1 if progress == self._progress else 0
        self._progress = progress
        if self._starts > _MAX_RESTARTS + self._workers:
            raise JobError(
                f"The processes of {self._spec.out} ended {self._starts} times without any progress: give smaller "
                "batches by `batch_size`, or free memory, and run the same command again."
            )
        command = [sys.executable, "-m", "pointillist.commands.jobs.process", self._spec.to_json(), str(rank)]
        threads = str(self._spec.settings.get("threads", 1))
        self._running[rank] = subprocess.Popen(
            [*command, str(self._workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads},
            start_new_session=True,
        )

    def release(self, rank: int) -> None:
        """Let the process of a rank compare the job with the manifest, and compute."""
        stdin = self._running[rank].stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which is noted later
            stdin.write("\n")
            stdin.flush()

    def wait_for_first(self) -> None:
        """Wait until the first process has written or compared the manifest, so that an error is reported once."""
        while True:
            process = self._running[0]
            assert process.stdout is not None
            line = process.stdout.readline()
            if line == "ready\n":
                return
            process.wait()
            self._end(0, process, line)

    def are_done(self) -> bool:
        """Look at the processes once: restart killed ones; return True if all tasks are finished."""
        for rank, process in list(self._running.items()):
            if process.poll() is not None:
                self._end(rank, process)
        if self._running:
            return False
        pending = self.folder.pending(self._spec.tasks)
        if not pending:
            return True
        if any(self.folder.is_free(task) for task in pending):
            self.start(0)
            self.release(0)
        else:
            time.sleep(_WAIT)  # processes of another command compute them
        return False

    def _end(self, rank: int, process: subprocess.Popen[str], line: str = "") -> None:
        """Take note of the end of a process, and start it again where it was stopped."""
        del self._running[rank]
        assert process.stdout is not None
        output = line + process.stdout.read()  # `communicate` leaves out what `readline` has read ahead
        process.communicate()
        if process.returncode == 0:
            return
        if process.returncode == EXIT_REJECTED:
            raise _error_of(output)
        if process.returncode == 1:
            raise JobError(f"A process of {self._spec.out} ended by an unexpected error, which is printed above.")
        self._suspect(process)
        self.start(rank)
        self.release(rank)

    def _suspect(self, process: subprocess.Popen[str]) -> None:
        """Record the items at which a process was ended by its own fault."""
        names = {-number: name for name in _FAULTS if (number := getattr(signal, name, None)) is not None}
        name, running = names.get(process.returncode), self.folder.running(process.pid)
        if name is not None and running is not None:
            self.folder.suspect(*running, f"ended the process by {name}")

    def _measure_progress(self) -> tuple[int, int]:
        tasks = range(self._spec.tasks)
        pending = self.folder.pending(self._spec.tasks)
        return len(tasks) - len(pending), sum(len(self.folder.quarantined(task)) for task in pending)


def _error_of(output: str) -> PointillistError | OSError | MemoryError:
    """Return the error that a process has printed."""
    result = json.loads(output.splitlines()[-1])
    if result["error"] == "MemoryError":
        return MemoryError()
    if result["error"] == "OSError":
        return OSError(result["errno"], result["strerror"], result["file"])
    kind = getattr(errors, result["error"], PointillistError)
    error = PointillistError(result["message"])
    error.__class__ = kind  # some kinds take other arguments
    return error
