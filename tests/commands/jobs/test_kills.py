"""`kill -9` of processes and of the command, at random: the same command continues, to equal bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import pointillist as pt
from pointillist.commands.jobs.executors import _Processes
from pointillist.commands.jobs.folder import JobSpec
from pointillist.commands.jobs.worker import Worker
from tests.commands.jobs.kills import finished, run_with_kills

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and torchrun of Linux")
SAMPLE = ["--batch-size", "4", "--engine", "numpy", "--label", "each"]


def expected(model: str, n: int) -> bytes:
    """The result of one process without interruptions."""
    settings = {"model": model, "n": n, "batch_size": 4, "engine": "numpy", "label": ["each"]}
    Worker(JobSpec(job="sample", settings=settings, out=Path("expected"), tasks=1)).run_share(0, 1)
    pt.jobs.merge("expected", "expected.npz")
    return Path("expected.npz").read_bytes()


def result(job: str) -> bytes:
    """The merged result; nothing is rejected."""
    assert not pt.jobs.status(job).rejected
    pt.jobs.merge(job, f"{job}.npz")
    return Path(f"{job}.npz").read_bytes()


class Victims:
    """Choose each process with equal probability; the command itself is the first one."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, command: psutil.Process, below: list[psutil.Process]) -> psutil.Process:
        found = [command, *below]
        return found[self._rng.integers(len(found))]


@pytest.mark.parametrize("kills", [2])
def test_local(model: str, kills: int) -> None:
    """Processes and the command are killed; by torchrun and Ray more often."""
    tasks = 8 * kills
    command = ["-m", "pointillist", "jobs", "sample", model, "-n", str(16 * tasks), *SAMPLE, "--workers", "2"]
    run_with_kills([*command, "--tasks", str(tasks), "--out", "job"], Path("job"), kills, Victims(kills))
    assert finished(Path("job")) == tasks
    assert result("job") == expected(model, 16 * tasks)
    assert not list(Path("job").rglob(".*")), "a process that was killed has left a temporary file"


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5])
def test_torchrun(model: str, kills: int) -> None:
    """Torchrun restarts processes; torchrun itself is killed too."""
    tasks = 8 * kills
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "3", "-m", "pointillist"]
    command += ["jobs", "sample", model, "-n", str(16 * tasks), *SAMPLE, "--executor", "torchrun"]
    run_with_kills([*command, "--tasks", str(tasks), "--out", "job"], Path("job"), kills, Victims(kills))
    assert result("job") == expected(model, 16 * tasks)


@pytest.mark.slow
def test_an_item_that_ends_the_process_is_rejected(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fault such as a segmentation fault of a decoder: its batch is computed one by one, the rest goes on."""
    Path("sitecustomize.py").write_text(FAULT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()), prepend=":")
    settings: dict[str, Any] = {"model": model, "n": 16, "batch_size": 4, "engine": "numpy"}
    found = pt.jobs.run("sample", out="job", tasks=2, workers=2, **settings)
    assert [(row["item"], row["reason"]) for row in found.rejected] == [(6, "ended the process by SIGSEGV")]
    assert np.load("job/parts/00000.npz")["item"].tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert found.is_finished


FAULT = """
import os, signal, sys
if any(a == "pointillist.commands.jobs.executors" for a in sys.orig_argv):
    from pointillist.sampling.draws import Draws
    kept = Draws.draw
    def draw(self, start, stop, on_row=None):
        if start <= 6 < stop:
            os.kill(os.getpid(), signal.SIGSEGV)
        return kept(self, start, stop, on_row)
    Draws.draw = draw
"""


@pytest.mark.slow
def test_processes_that_never_get_on_end_the_job(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed from outside again and again, nothing is rejected, and the command ends with a sentence."""
    Path("sitecustomize.py").write_text(FAULT.replace("SIGSEGV", "SIGKILL"), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()), prepend=":")
    monkeypatch.setattr("pointillist.commands.jobs.executors._MAX_RESTARTS", 0)
    with pytest.raises(pt.JobError, match="without any progress"):
        pt.jobs.run("sample", out="job", tasks=4, model=model, n=16, batch_size=4, engine="numpy")
    assert not pt.jobs.status("job").rejected


def test_an_error_right_after_the_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was raised in the process."""
    error = {"error": "OSError", "args": [28, "No space left on device", None]}
    end = f"import sys; print({json.dumps(error)!r}); sys.exit(2)"
    with _Processes(JobSpec(job="sample", settings={}, out=Path("job"), tasks=1), 1) as processes:
        process = subprocess.Popen(
            [sys.executable, "-c", end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        process.wait()
        processes._running[0] = process
        with pytest.raises(OSError, match="No space left"):
            processes.are_done()


@pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed")
@pytest.mark.parametrize("kills", [0, pytest.param(5, marks=pytest.mark.slow)])
def test_ray(model: str, kills: int) -> None:
    """A local cluster with two actors, of which some are killed, and sometimes the command."""
    tasks = 8 * max(kills, 1)
    command = ["-m", "pointillist", "jobs", "sample", model, "-n", str(16 * tasks), *SAMPLE, "--executor", "ray"]
    command += ["--workers", "2", "--tasks", str(tasks), "--out", "job"]

    def choose(driver: psutil.Process, below: list[psutil.Process]) -> psutil.Process:
        actors = [p for p in below if p.name().startswith("ray::")]
        return Victims(len(actors))(driver, actors)

    run_with_kills(command, Path("job"), kills, choose)
    assert result("job") == expected(model, 16 * tasks)
