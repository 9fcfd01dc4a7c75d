"""Kill processes of a job at random, and run the same command until it is finished."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

Choose = Callable[[psutil.Process, list[psutil.Process]], psutil.Process]


def run_with_kills(command: Sequence[str], job: Path, kills: int, choose: Choose, seed: int = 0) -> int:
    """Run a command until it succeeds; return how often it was started.

    Each kill comes a random time after a task was finished since the one before.

    Args:
        command: arguments of Python.
        job: the folder of the job.
        kills: number of processes to kill.
        choose: chooses one, from the process that was started and all below it.
    """
    rng = np.random.default_rng(seed)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for starts in range(1, 100):
        driver = subprocess.Popen([sys.executable, *command], env=environment, start_new_session=True)
        process = psutil.Process(driver.pid)
        while driver.poll() is None:
            before = finished(job)
            while kills and driver.poll() is None and finished(job) == before:
                time.sleep(0.02)
            if kills and driver.poll() is None:
                time.sleep(float(rng.random()) * 0.5)
                kills -= kill(choose, process)
            elif not kills:
                driver.wait(600)
        if driver.returncode == 0:
            assert not kills, f"the job ended with {kills} kills to go"
            return starts
    raise AssertionError("the job never ends")


def kill(choose: Choose, process: psutil.Process) -> bool:
    """Kill one process."""
    try:
        choose(process, process.children(recursive=True)).kill()
    except psutil.NoSuchProcess:
        return False
    return True


def finished(job: Path) -> int:
    """Count the finished tasks."""
    folder = job / "completions"
    return len(list(folder.glob("[0-9]*"))) if folder.exists() else 0
