"""Executors: they start processes and give each its share of the tasks. Results do not depend on them.

`local` starts processes of this machine: `python -m pointillist.commands.jobs.executors SPEC RANK WORLD`. Such a
process opens the job, and writes or compares the manifest. An error that a user can cause is its last line on stdout,
as JSON. It ends with the process that started it, whose end closes its stdin. A process that is killed, or stops at an
item, is started again. `torchrun` starts the processes itself, on one or several machines. On a Ray cluster, Ray Data
gives tasks to actors, each of which opens the job once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, NoReturn

from pointillist import errors
from pointillist.commands.jobs.folder import JobFolder, JobSpec
from pointillist.errors import ConfigError, JobError, MissingExtraError, PointillistError
from pointillist.files.progress import Bar

EXIT_REJECTED = 2
_POLL = 0.05  # seconds
_WAIT = 0.5  # seconds between two looks at the tasks of other processes
_MAX_RESTARTS = 5  # starts of processes without any progress
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
"""Signals by which an item ends a process; SIGKILL comes from outside."""


def main() -> None:
    """Compute a share of the tasks, as a process of `local`."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    from pointillist.commands.jobs.worker import Worker

    spec, rank, world = JobSpec.model_validate_json(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    try:
        Worker(spec).run_share(rank, world)
    except (PointillistError, MemoryError) as error:
        _reject(error, *map(str, error.args))
    except OSError as error:  # such as a full disk
        if error.errno is None:
            raise
        _reject(error, error.errno, error.strerror, error.filename)


def _reject(error: Exception, *args: Any) -> NoReturn:
    """Print an error that `_error_of` reads, and end."""
    name = "OSError" if isinstance(error, OSError) else type(error).__name__
    print(json.dumps({"error": name, "args": args}, default=str), flush=True)
    sys.exit(EXIT_REJECTED)


def _follow_parent() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock would be held at the end of this process
    os._exit(0)


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
        for rank in range(max(1, min(workers, len(processes.folder.pending(spec.tasks))))):
            processes.start(rank)
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

    def __exit__(self, *error: object) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.communicate()

    def start(self, rank: int) -> None:
        """Start the process of a rank.

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
        command = [sys.executable, "-m", "pointillist.commands.jobs.executors", self._spec.model_dump_json(), str(rank)]
        self._running[rank] = subprocess.Popen(
            [*command, str(self._workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(self._spec.threads)},
            start_new_session=True,
        )

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
        else:
            time.sleep(_WAIT)  # processes of another command compute them
        return False

    def _end(self, rank: int, process: subprocess.Popen[str]) -> None:
        """Take note of the end of a process, and start it again where it was stopped."""
        del self._running[rank]
        output, _ = process.communicate()
        if process.returncode == 0:
            return
        if process.returncode == EXIT_REJECTED:
            raise _error_of(output)
        if process.returncode == 1:
            raise JobError(f"A process of {self._spec.out} ended by an unexpected error, which is printed above.")
        self._suspect(process)
        self.start(rank)

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


def _error_of(output: str) -> Exception:
    result = json.loads(output.splitlines()[-1])
    name, args = result["error"], result["args"]
    if name in ("MemoryError", "OSError"):
        return {"MemoryError": MemoryError, "OSError": OSError}[name](*args)
    error = PointillistError(*args)
    error.__class__ = getattr(errors, name, PointillistError)  # some kinds take other arguments
    return error


def run_ray(spec: JobSpec, workers: int) -> None:
    """Run all tasks that are not finished, on the cluster that Ray is connected to or on a local one.

    Args:
        spec: the job; its folder and its inputs are on a disk that all machines share.
        workers: number of actors.

    Raises:
        MissingExtraError: if Ray is not installed.
        JobError: if tasks are left, because other processes compute them.
    """
    try:
        import ray.data
    except ImportError as error:
        raise MissingExtraError("`executor` 'ray'", "ray") from error
    folder = JobFolder(spec.out)
    pending = folder.pending(spec.tasks)
    if pending:
        rows = ray.data.from_items([{"task": task} for task in pending], override_num_blocks=len(pending))
        actors = ray.data.ActorPoolStrategy(size=workers)
        rows.map(
            _TaskRunner, fn_constructor_args=(spec.model_dump_json(),), num_cpus=spec.threads, compute=actors
        ).materialize()
    left = folder.pending(spec.tasks)
    if left:
        raise JobError(f"{len(left)} tasks of {spec.out} are computed by other processes: run the same command later.")


class _TaskRunner:
    """An actor that computes tasks."""

    def __init__(self, spec: str) -> None:
        from pointillist.commands.jobs.worker import Worker

        self._worker = Worker(JobSpec.model_validate_json(spec))

    def __call__(self, row: dict[str, int]) -> dict[str, int]:
        self._worker.run_task(int(row["task"]))
        return row


def run_torchrun(spec: JobSpec) -> None:
    """Run the tasks of this process, and those that no other process computes.

    Raises:
        ConfigError: outside of `torchrun`.
        PointillistError: as raised by the work.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        raise ConfigError(
            "`executor` (='torchrun') needs torchrun: write `torchrun --nproc-per-node 2 -m pointillist jobs ...`, or "
            "use 'local'."
        )
    import torch

    from pointillist.commands.jobs.worker import Worker

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    Worker(spec).run_share(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


if __name__ == "__main__":
    main()
