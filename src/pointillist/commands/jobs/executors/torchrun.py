"""Run the share of one process of `torchrun`, which starts the processes on one or several machines."""

from __future__ import annotations

import os

from pointillist.commands.jobs.settings import JobSpec
from pointillist.errors import ConfigError


def run_torchrun(spec: JobSpec) -> None:
    """Run the tasks of this process, and those that no other process computes.

    Raises:
        ConfigError: outside of `torchrun`.
        PointillistError: as raised by the work.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        raise ConfigError(
            "`executor` (='torchrun') needs torchrun: write `torchrun --nproc-per-node 2 -m pointillist jobs ...`, or "
            "use 'local'."
        )
    import torch

    from pointillist.commands.jobs.worker import Worker

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    Worker(spec).run_share(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
