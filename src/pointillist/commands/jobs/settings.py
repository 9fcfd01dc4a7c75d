"""Settings of every job, and of the commands that read one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pointillist.commands.settings import FORCE, JSON, PRINT_JSON, REQUIRED, Argument, Settings, option

_JOB = "Job"
_FOLDER = Argument("DIR", "Folder of a job.")


@dataclass(frozen=True, kw_only=True)
class RunSettings(Settings):
    """Settings of every job; see `run`."""

    tasks: int = option(REQUIRED, "N", "Parts of the work, a few for each process.", panel=_JOB)
    out: Path = option(REQUIRED, "DIR", "Folder of the job.", flags=("--out", "-o"), panel=_JOB)
    executor: str = option("local", "NAME", "local, torchrun (under torchrun), or ray (extra ray).", panel=_JOB)
    workers: int = option(1, "N", "Processes of local, actors of ray.", panel=_JOB)
    time_limit: float | None = option(None, "S", "Seconds an item may take before it is rejected.", panel=_JOB)
    as_json: bool = replace(JSON, panel=_JOB).field(False)


@dataclass(frozen=True, kw_only=True)
class StatusSettings(Settings):
    """Settings of `jobs status`."""

    folder: Path = _FOLDER.field()
    as_json: bool = PRINT_JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class MergeSettings(Settings):
    """Settings of `jobs merge`."""

    folder: Path = _FOLDER.field()
    out: Path = option(REQUIRED, "PATH", "NAME.npz, or NAME.csv of likelihoods.", flags=("--out", "-o"))
    force: bool = FORCE.field(False)
    as_json: bool = PRINT_JSON.field(False)
