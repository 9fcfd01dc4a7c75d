"""Batch jobs: much work in fixed tasks, which any number of processes and machines finish to the same bytes.

The conventions follow datatrove: a folder with one part for each task, a marker for each finished task,
and the same command again runs only what is missing. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointillist.commands.jobs.api import JobStatus, merge, run, status

__all__ = ["JobStatus", "merge", "run", "status"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pointillist.commands.jobs' has no attribute {name!r}")
    return getattr(importlib.import_module("pointillist.commands.jobs.api"), name)
