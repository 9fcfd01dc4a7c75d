"""The state of a job, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.commands.jobs.base import job_kind
from pointillist.commands.jobs.folder import JobFolder, Parts
from pointillist.errors import ConfigError, JobError, counted
from pointillist.files.batch_output import output_lock
from pointillist.files.reading import check_path
from pointillist.files.writing import is_stream


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """The state of a job.

    ```python
    print(pt.jobs.status("many").finished)
    ```

    Attributes:
        job: its kind.
        tasks, finished: number of tasks, and of those that are finished.
        pending: the tasks that are not.
        count: number of items.
        rejected: items rejected so far, with those that could not be read.
    """

    job: str
    tasks: int
    finished: int
    pending: tuple[int, ...]
    count: int
    rejected: int

    @property
    def is_finished(self) -> bool:
        """True if no task is left."""
        return not self.pending


def status(out: str | Path) -> JobStatus:
    """Read the state of a job.

    Raises:
        ConfigError: if the folder holds no job.

    Example:
        pt.jobs.status("many").is_finished
    """
    check_path("out", out)
    folder = JobFolder(Path(out))
    manifest = folder.manifest()
    if manifest is None:
        raise ConfigError(f"{out} holds no job: give a folder that `pointillist jobs` has written.")
    tasks = manifest["tasks"]
    pending = folder.pending(tasks)
    rejected = sum(len(folder.rejected(task)) for task in range(tasks) if task not in set(pending))
    return JobStatus(
        job=manifest["job"],
        tasks=tasks,
        finished=tasks - len(pending),
        pending=tuple(pending),
        count=manifest["count"],
        rejected=rejected + len(manifest["skipped"]),
    )


def merge(out: str | Path, path: str | Path, *, force: bool = False) -> dict[str, Any]:
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
    check_path("path", path)
    state, path = status(out), Path(path)
    if not state.is_finished:
        missing = f"{len(state.pending)} of {counted(state.tasks, 'task')} of {out}"
        raise JobError(f"{missing} are missing: run the same command again.")
    if path.exists() and not is_stream(path) and not force:
        raise ConfigError(f"{path} is already there: add `force` to replace it, or give another path.")
    folder = JobFolder(Path(out))
    manifest = folder.manifest()
    assert manifest is not None
    total = state.count - sum(len(folder.rejected(task)) for task in range(state.tasks))
    if not total:
        raise JobError(f"Every item of {out} was rejected: see {folder.path}/rejected.jsonl for the reasons.")
    with output_lock(path):
        return job_kind(state.job).merge(manifest, Parts(folder, state.tasks, state.count, total), path)


def check_suffix(path: Path, suffix: str) -> None:
    """Reject the name of a file that is not of the kind of the result.

    Raises:
        ConfigError: naming the ending.
    """
    if path.suffix.lower() != suffix:
        raise ConfigError(f"`out` (={path}) must end in {suffix}: the result of this job is such a file.")
