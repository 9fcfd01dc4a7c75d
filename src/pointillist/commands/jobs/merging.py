"""Merge the parts of a finished job into one result, in the format of the plain command."""

from __future__ import annotations

from pathlib import Path

from pointillist.commands.jobs.base import job_kind
from pointillist.commands.jobs.folder import JobFolder, Parts
from pointillist.commands.jobs.state import status
from pointillist.errors import ConfigError, JobError, counted
from pointillist.files.batch_output import output_lock
from pointillist.files.writing import is_stream


def merge(out: str | Path, path: str | Path, *, force: bool = False) -> list[tuple[str, str]]:
    """Write the result of a finished job.

    Args:
        out: the folder of the job.
        path: the file to write: `.npz` for images, `.csv` for likelihoods.
        force: replace what is there.

    Returns:
        Lines of a report: name and value.

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
