"""Jobs in Python: run one, read its state, write its result."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.commands.jobs.executors import run_local, run_ray, run_torchrun
from pointillist.commands.jobs.folder import MAX_TASKS, JobFolder, JobSpec, Row
from pointillist.commands.jobs.settings import JOBS, functions_of, job_settings
from pointillist.commands.report import Facts
from pointillist.commands.settings import to_dict
from pointillist.errors import ConfigError, JobError, Range, counted, is_number, member_of, quote
from pointillist.files.batch_output import output_lock
from pointillist.files.reading import is_path
from pointillist.files.suggestions import arguments
from pointillist.files.writing import is_stream

EXECUTORS = ("local", "torchrun", "ray")


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """The state of a job.

    ```python
    print(pt.jobs.status("many").finished)
    ```

    Attributes:
        out: the folder of the job.
        job: its kind.
        tasks, finished: number of tasks, and of those that are finished.
        pending: the tasks that are not.
        count: number of items.
        rejected: items that could not be computed, so far: `item` (its number), `file` and `reason`. Files that could
            not be read have no number.
    """

    out: Path
    job: str
    tasks: int
    finished: int
    pending: tuple[int, ...]
    count: int
    rejected: tuple[Row, ...]

    @property
    def is_finished(self) -> bool:
        """True if no task is left."""
        return not self.pending


@arguments(
    tasks=Range(1, MAX_TASKS),
    out=is_path,
    workers=Range(1),
    threads=Range(1),
    executor=member_of("Unknown `executor`", EXECUTORS),
)
def run(
    job: str,
    *,
    out: str | Path,
    tasks: int,
    executor: str = "local",
    workers: int = 1,
    threads: int = 1,
    time_limit: float | None = None,
    **settings: Any,
) -> JobStatus:
    """Run a job, or what is missing of it.

    Results depend neither on the tasks, nor on the workers, nor on interruptions: `merge` writes the same bytes.

    Args:
        job: `sample`, `evaluate`, `inpaint`, `detect` or `compress`.
        out: the folder of the job; another job in it is rejected.
        tasks: number of parts into which the items are divided, a few for each process; it cannot change later.
        executor: `local` starts processes; `torchrun` runs the share of this process, which torchrun has started;
            `ray` gives tasks to actors of a Ray cluster (extra `ray`).
        workers: processes of `local`, actors of `ray`.
        threads: of each process; another number may round differently.
        time_limit: seconds that an item may take before it is rejected; None for any time.
        settings: settings of the command, such as `model`, by name.

    Raises:
        ConfigError: naming the argument that is wrong, or the first difference to the job in the folder.
        PointillistError: if the model or the items cannot be opened.
        JobError: if the processes end again and again.

    Example:
        pt.jobs.run("sample", out="many", tasks=8, workers=2, model="digits", n=1000, label=["each"])
        pt.jobs.merge("many", "many.npz")
    """
    if time_limit is not None and not (is_number(time_limit) and time_limit > 0):
        raise ConfigError(f"`time_limit` (={quote(time_limit)}) must be a positive number: leave it out for any time.")
    parsed, path = to_dict(job_settings(job, settings)), Path(os.path.abspath(out))
    spec = JobSpec(job=job, settings=parsed, out=path, tasks=tasks, threads=threads, time_limit=time_limit)
    if executor == "torchrun":
        run_torchrun(spec)
    elif executor == "local":
        run_local(spec, workers)
    else:
        run_ray(spec, workers)
    if not JobFolder(path).pending(tasks):
        JobFolder(path).conclude()
    return status(path)


@arguments(out=is_path)
def status(out: str | Path) -> JobStatus:
    """Read the state of a job.

    Raises:
        ConfigError: if the folder holds no job.

    Example:
        pt.jobs.status("many").is_finished
    """
    folder = JobFolder(Path(out))
    manifest = folder.manifest()
    pending = tuple(folder.pending(manifest.tasks))
    return JobStatus(
        out=folder.path,
        job=manifest.job,
        tasks=manifest.tasks,
        finished=manifest.tasks - len(pending),
        pending=pending,
        count=manifest.count,
        rejected=tuple(folder.rejected()),
    )


@arguments(path=is_path)
def merge(out: str | Path, path: str | Path, *, force: bool = False) -> Facts:
    """Write the result of a finished job.

    Args:
        out: the folder of the job.
        path: the file to write: `.npz` for images, `.csv` for likelihoods.
        force: replace what is there.

    Returns:
        Facts of a report, by name.

    Raises:
        JobError: if tasks are missing, a part is damaged, or every item was rejected.
        ConfigError: if the folder holds no job, or the path does not fit.

    Example:
        pt.jobs.merge("many", "many.npz")
    """
    state, path = status(out), Path(path)
    if not state.is_finished:
        missing = f"{len(state.pending)} of {counted(state.tasks, 'task')} of {out}"
        raise JobError(f"{missing} are missing: run the same command again.")
    if path.exists() and not is_stream(path) and not force:
        raise ConfigError(f"{path} is already there: add `force` to replace it, or give another path.")
    ending = JOBS[state.job].merged
    if path.suffix.lower() != ending:
        raise ConfigError(f"`out` (={path}) must end in {ending}: the result of this job is such a file.")
    folder = JobFolder(state.out)
    if sum(row["item"] is not None for row in state.rejected) == state.count:
        raise JobError(f"Every item of {out} was rejected: see {folder.path}/rejected.jsonl for the reasons.")
    with output_lock(path):
        facts: Facts = functions_of(state.job).merge(folder.manifest().facts, folder, path)
    return facts
