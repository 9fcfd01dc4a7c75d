"""Settings of every job and of the commands that read one, and the description of a job for its processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pointillist.commands.settings import FORCE, JSON, PRINT_JSON, REQUIRED, Argument, Panel, Settings, option

_JOB = Panel("Job")
_FOLDER = Argument("DIR", "Folder of a job.")


@dataclass(frozen=True, kw_only=True)
class RunSettings(Settings):
    """Settings of every job; see `run`."""

    tasks: int = _JOB.option(REQUIRED, "N", "Parts of the work, a few for each process.")
    out: Path = _JOB.option(REQUIRED, "DIR", "Folder of the job.", flags=("--out", "-o"))
    executor: str = _JOB.option("local", "NAME", "local, torchrun (under torchrun), or ray (extra ray).")
    workers: int = _JOB.option(1, "N", "Processes of local, actors of ray.")
    threads: Any = _JOB.sampling_option(1, "N", "Threads of each process; another number may round differently.", low=1)
    time_limit: float | None = _JOB.option(None, "S", "Seconds an item may take before it is rejected.")
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


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """A job: what is computed, into which folder, in how many tasks.

    ```python
    JobSpec(job="sample", settings={"model": "digits", "n": 1000}, out=Path("many"), tasks=8)
    ```

    Attributes:
        job: name of its kind.
        settings: see the settings of its kind; JSON values.
        out: the folder.
        tasks: number of tasks.
        threads: of each process.
        time_limit: seconds that an item may take, and a batch as many times; None for any time. Results that are within
            it do not depend on it.
    """

    job: str
    settings: dict[str, Any]
    out: Path
    tasks: int
    threads: int = 1
    time_limit: float | None = None

    def to_json(self) -> str:
        """Write the job as JSON."""
        return json.dumps({**asdict(self), "out": str(self.out)})

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """Read a job from JSON that `to_json` wrote."""
        result = json.loads(text)
        return cls(**{**result, "out": Path(result["out"])})
