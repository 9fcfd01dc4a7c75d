"""Run a job: the public call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.commands.jobs.executors import run_local, run_ray, run_torchrun
from pointillist.commands.jobs.folder import JobFolder
from pointillist.commands.jobs.manifest import check_tasks, parse_settings
from pointillist.commands.jobs.settings import JobSpec
from pointillist.commands.jobs.state import JobStatus, status
from pointillist.commands.settings import to_dict
from pointillist.errors import ConfigError, check_name, check_whole, is_number, quote
from pointillist.files.reading import check_path

EXECUTORS = ("local", "torchrun", "ray")


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """The state of a job after a run.

    ```python
    result = pt.jobs.run("sample", out="many", tasks=8, model="digits", n=1000)
    result.rejected  # ()
    ```

    Attributes:
        out: the folder of the job.
        status: finished tasks and items.
        rejected: items that could not be computed: `item` (its number), `file` and `reason`. Files that could
            not be read have no number.
    """

    out: Path
    status: JobStatus
    rejected: tuple[Mapping[str, Any], ...]


def run(
    job: str,
    *,
    out: str | Path,
    tasks: int,
    executor: str = "local",
    workers: int = 1,
    time_limit: float | None = None,
    **settings: Any,
) -> JobResult:
    """Run a job, or what is missing of it.

    Results depend neither on the tasks, nor on the workers, nor on interruptions: `merge` writes the same bytes.

    Args:
        job: `sample`, `evaluate` or `inpaint`.
        out: the folder of the job; another job in it is rejected.
        tasks: number of parts into which the items are divided, a few for each process; it cannot change later.
        executor: `local` starts processes; `torchrun` runs the share of this process, which torchrun has started;
            `ray` gives tasks to actors of a Ray cluster (extra `ray`).
        workers: processes of `local`, actors of `ray`.
        time_limit: seconds that an item may take before it is rejected; None for any time.
        settings: settings of the kind of job, such as `model`; see its class in `commands/jobs/kinds`.

    Raises:
        ConfigError: naming the argument that is wrong, or the first difference to the job in the folder.
        PointillistError: if the model or the items cannot be opened.
        JobError: if the processes end again and again.

    Example:
        pt.jobs.run("sample", out="many", tasks=8, workers=2, model="digits", n=1000, label=["each"])
        pt.jobs.merge("many", "many.npz")
    """
    check_tasks(tasks)
    check_path("out", out)
    check_whole("workers", workers, 1)
    if time_limit is not None and not (is_number(time_limit) and time_limit > 0):
        raise ConfigError(f"`time_limit` (={quote(time_limit)}) must be a positive number: leave it out for any time.")
    check_name("Unknown `executor`", executor, EXECUTORS)
    parsed = to_dict(parse_settings(job, settings))
    path = Path(os.path.abspath(out))
    spec = JobSpec(job=job, settings=parsed, out=path, tasks=tasks, time_limit=time_limit)
    if executor == "torchrun":
        run_torchrun(spec)
    elif executor == "local":
        run_local(spec, workers)
    else:
        run_ray(spec, workers)
    folder = JobFolder(path)
    if not folder.pending(tasks):
        folder.remove_temporary()
    manifest = folder.manifest()
    assert manifest is not None
    rejected = () if folder.pending(tasks) else tuple(folder.collect_rejected(manifest))
    return JobResult(out=path, status=status(path), rejected=rejected)
