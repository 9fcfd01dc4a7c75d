"""Run a job on a Ray cluster: Ray Data gives tasks to actors, each of which opens the job once."""

from __future__ import annotations

from typing import Any

from pointillist.commands.jobs.folder import JobFolder
from pointillist.commands.jobs.settings import JobSpec
from pointillist.errors import JobError, MissingExtraError


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
        threads = spec.settings.get("threads", 1)
        rows.map(
            _TaskRunner, fn_constructor_args=(spec.to_json(),), num_cpus=threads, compute=_actors(workers)
        ).materialize()
    left = folder.pending(spec.tasks)
    if left:
        raise JobError(f"{len(left)} tasks of {spec.out} are computed by other processes: run the same command later.")
    manifest = folder.manifest()
    assert manifest is not None
    folder.collect_rejected(manifest)


def _actors(workers: int) -> Any:
    from ray.data import ActorPoolStrategy

    return ActorPoolStrategy(size=workers)


class _TaskRunner:
    """An actor that computes tasks."""

    def __init__(self, spec: str) -> None:
        from pointillist.commands.jobs.worker import Worker

        self._worker = Worker(JobSpec.from_json(spec))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Compute the task of a row."""
        self._worker.run_task(int(row["task"]))
        return row
