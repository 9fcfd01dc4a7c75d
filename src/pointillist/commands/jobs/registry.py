"""The kinds of jobs: every file in `commands/jobs/kinds` is one, and is named as its command."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from pointillist.commands.jobs import kinds
from pointillist.commands.jobs.base import JobKind
from pointillist.errors import ConfigError


def job_names() -> list[str]:
    """List the names of all kinds of jobs.

    ```python
    job_names()  # ["evaluate", "inpaint", "sample"]
    ```
    """
    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def job_kind(name: str) -> type[JobKind]:
    """Look up a kind of job by name; neither torch nor a model is loaded.

    Raises:
        ConfigError: if there is no such kind.
    """
    if name not in job_names():
        raise ConfigError(f"Unknown `job` {name!r}: choose one of {', '.join(job_names())}.")
    result: type[JobKind] = import_module(f"{kinds.__name__}.{name}").KIND
    return result
