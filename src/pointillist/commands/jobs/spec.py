"""Description of a job for the processes that work on it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


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
        time_limit: seconds that an item may take, and a batch as many times; None for any time. Results that are within
            it do not depend on it.
    """

    job: str
    settings: dict[str, Any]
    out: Path
    tasks: int
    time_limit: float | None = None

    def to_json(self) -> str:
        """Write the job as JSON."""
        return json.dumps({**asdict(self), "out": str(self.out)})

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """Read a job from JSON that `to_json` wrote."""
        result = json.loads(text)
        return cls(**{**result, "out": Path(result["out"])})
