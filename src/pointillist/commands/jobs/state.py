"""The state of a job, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointillist.commands.jobs.folder import JobFolder
from pointillist.errors import ConfigError


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
