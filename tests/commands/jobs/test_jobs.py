"""Jobs: results depend neither on tasks nor on processes, bad items are rejected, and what is finished is kept."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
from pointillist.commands.cli.app import Commands
from pointillist.commands.jobs.folder import JobFolder, JobSpec
from pointillist.commands.jobs.settings import JOBS
from pointillist.commands.jobs.worker import EXIT_EXPIRED, Worker, batches_of_task
from pointillist.commands.sampling import sample as sampling
from pointillist.images import dequantise
from tests.cli.helpers import fails, run

SAMPLE = {"n": 14, "batch_size": 4, "engine": "numpy", "label": ["cat"]}


def compute(job: str, out: str, tasks: int, world: int = 1, time_limit: float | None = None, **settings: Any) -> Worker:
    """Run a job in this process, the share of one rank after the other."""
    spec = JobSpec(job=job, settings=settings, out=Path(out), tasks=tasks, time_limit=time_limit)
    for rank in reversed(range(world)):
        worker = Worker(spec)
        worker.run_share(rank, world)
    if not worker.folder.pending(tasks):
        worker.folder.conclude()
    return worker


def change_compute(patch: pytest.MonkeyPatch, compute: Callable[..., Any]) -> None:
    """Let samples of jobs be computed by a function of how they are computed, the first item and the last but one."""
    original = sampling.job

    def job(settings: Any) -> Any:
        work = original(settings)
        return replace(work, compute=partial(compute, work.compute))

    patch.setattr(sampling, "job", job)


def merged(job: str, name: str) -> bytes:
    """The merged result of a job."""
    pt.jobs.merge(job, name)
    return Path(name).read_bytes()


def test_commands_that_can_be_a_job() -> None:
    """An unknown kind and an unknown setting are sentences."""
    assert list(JOBS) == ["compress", "detect", "evaluate", "inpaint", "sample"]
    with pytest.raises(pt.ConfigError, match=r"Unknown `job` 'score': choose one of compress"):
        pt.jobs.run("score", out="x", tasks=1)
    with pytest.raises(pt.ConfigError, match="`count` is not a setting of the job sample"):
        pt.jobs.run("sample", out="x", tasks=1, model="digits", n=1, count=3)


def test_defaults_are_those_of_the_plain_commands() -> None:
    """Or the same images would differ; jobs share the processors."""
    group: Any = Commands(name="pointillist")
    own = {"threads"}
    for kind in JOBS:
        plain, job = ({p.name: p.default for p in g.get_command(None, kind).params}
                      for g in (group, group.get_command(None, "jobs")))  # fmt: skip
        shared = (plain.keys() & job.keys()) - own
        assert {name: plain[name] or None for name in shared} == {name: job[name] or None for name in shared}, kind


def test_batches_are_divided_once() -> None:
    """Every item is in one batch of one task, whatever the number of tasks."""
    for tasks in (1, 2, 3, 7, 20):
        found = [batch for task in range(tasks) for batch in batches_of_task(task, tasks, 14, 4)]
        assert found == [(0, 4), (4, 8), (8, 12), (12, 14)]


def test_a_task_that_memory_does_not_hold_is_refused(model: str) -> None:
    """Before it begins, for any number; results of a task are held until it is finished."""
    with pytest.raises(pt.DataError, match=r"A task of 10,000,.* items would take .* of memory.*give more tasks"):
        compute("sample", "huge", 1, model=model, n=10**13)
    with pytest.raises(pt.DataError, match=r"Conditions of 10,000,.* images would take .* of memory.*ask for fewer"):
        compute("sample", "huge", 9, model=model, n=10**13, label=["cat"])
    with pytest.raises(pt.ConfigError, match=r"`n` .* must be a whole number, 1 to"):
        compute("sample", "huge", 1, model=model, n=10**400)
    assert not Path("huge/manifest.json").exists()


def test_samples_equal_the_plain_command(model: str) -> None:
    """For any number of tasks and processes."""
    for tasks, world in ((1, 1), (3, 2), (9, 3)):
        compute("sample", f"job{tasks}", tasks, world, model=model, **SAMPLE)
    archives = [merged(f"job{tasks}", f"{tasks}.npz") for tasks in (1, 3, 9)]
    run("sample", model, "-n", 14, "--batch-size", 4, "--engine", "numpy", "--label", "cat", "--seed", 0, "-o", "p.npz")
    assert archives == [Path("p.npz").read_bytes()] * 3
    with pytest.raises(pt.ConfigError, match=r"must end in \.npz"):
        pt.jobs.merge("job3", "q.csv")


def test_samples_of_a_stored_exact_program_equal_the_plain_command(model: str) -> None:
    """A bundled model is sampled from its integer program by both without torch, with prompts and guidance."""
    options = {"n": 2, "text": ["heart; a small house"], "label": ["mdi,tabler"], "seed": 3}
    compute("sample", "job", 3, 1, model="icons", batch_size=3, **options)
    run(
        "sample",
        "icons",
        "-n",
        2,
        "--text",
        "heart; a small house",
        "--label",
        "mdi,tabler",
        "--seed",
        3,
        "-o",
        "p.npz",
    )
    manifest = json.loads(Path("job/manifest.json").read_text(encoding="utf-8"))
    assert manifest["facts"]["engine"] == "integer"
    assert "torch" not in manifest["hardware"]
    assert merged("job", "a.npz") == Path("p.npz").read_bytes()


def test_likelihoods_equal_the_plain_command(model: str) -> None:
    """As a table with a line an image."""
    run("sample", model, "-n", 14, "--seed", 1, "--engine", "numpy", "-o", "data/")
    for tasks, world in ((1, 1), (5, 2)):
        compute("evaluate", f"job{tasks}", tasks, world, model=model, data="data", batch_size=4)
    plain = json.loads(run("evaluate", model, "data", "--batch-size", 4, "--per-image", "p.csv", "--json").stdout)
    assert merged("job1", "a.csv") == merged("job5", "b.csv") == Path("p.csv").read_bytes()
    assert pt.jobs.merge("job5", "c.csv")["bits_per_dim"] == plain["bits_per_dim"]


@pytest.mark.parametrize("data", ["folder", "archive"])
def test_verdicts_equal_the_plain_command(model: str, data: str) -> None:
    """Of a folder of pictures, by their names, and of an archive, by their numbers."""
    target = "data/" if data == "folder" else "data.npz"
    run("sample", model, "-n", 41, "--seed", 1, "--engine", "numpy", "-o", target)
    settings = ["--detector", "found", "--batch-size", 4, "--csv", "p.csv"]
    run("detect", model, target, "--fit", target, "--false-alarms", 0.1, *settings)
    for tasks, world in ((1, 1), (5, 2)):
        compute("detect", f"job{tasks}", tasks, world, model=model, data=target, detector="found", batch_size=4)
    assert merged("job1", "a.csv") == merged("job5", "b.csv") == Path("p.csv").read_bytes()
    with pytest.raises(pt.ConfigError, match="has no detector"):
        compute("detect", "job", 1, model=model, data=target)


def test_archives_equal_the_plain_command(model: str) -> None:
    """For any number of tasks; a picture that cannot be read is left out, and the rest decodes."""
    loaded = pt.load(model)
    pt.quantize_integer(loaded, torch.randint(0, loaded.image.levels, (4, *loaded.image.shape)))
    loaded.save_pretrained("exact")
    run("sample", model, "-n", 14, "--seed", 1, "--engine", "numpy", "-o", "data/")
    for tasks, world in ((1, 1), (4, 2)):
        compute("compress", f"job{tasks}", tasks, world, model="exact", files=["data"], per_record=3)
    run("compress", "exact", "data", "--per-record", 3, "--out", "p.pxl")
    assert merged("job1", "a.pxl") == merged("job4", "b.pxl") == Path("p.pxl").read_bytes()
    Path("data/00004.png").write_bytes(b"x")
    compute("compress", "job", 3, model="exact", files=["data"], per_record=3)
    pt.jobs.merge("job", "rest.pxl")
    assert len(pt.jobs.status("job").rejected) == 1
    rest, whole = (list(pt.Archive(name, "exact")) for name in ("rest.pxl", "p.pxl"))
    assert np.array_equal(rest, whole[:4] + whole[5:])
    large = dequantise(np.random.default_rng(0).integers(0, 8, (2, 1030)), 8)
    for name in ("00002-large", "00009"):
        Image.fromarray(large).save(f"data/{name}.png")
    Path("data/00004.png").unlink()
    compute("compress", "tiles", 3, model="exact", files=["data"], per_record=3)
    run("compress", "exact", "data", "--per-record", 3, "--out", "tiles.pxl")
    assert merged("tiles", "c.pxl") == Path("tiles.pxl").read_bytes()
    with pytest.raises(pt.ConfigError, match="`device` is not a setting of the job compress"):
        compute("compress", "other", 1, model="exact", files=["data"], device="cuda")


def test_pictures_that_cannot_be_read_are_rejected(model: str, pictures: str) -> None:
    """With their file and reason, and the rest goes on; a second run rejects the same."""
    for tasks in (2, 5):
        worker = compute("evaluate", f"job{tasks}", tasks, model=model, data=pictures, batch_size=4)
        assert worker.manifest.count == 9
        rows = [json.loads(line) for line in Path(f"job{tasks}/rejected.jsonl").read_text().splitlines()]
        assert {row["file"] for row in rows} == {"04.png", "07.png"}
        assert any("is 7x6 (height x width), not the `size` 5x6" in row["reason"] for row in rows)
    assert merged("job2", "a.csv") == merged("job5", "b.csv")
    assert "07.png" not in Path("a.csv").read_text()
    assert len(pt.jobs.status("job2").rejected) == 2


@pytest.mark.parametrize("method", ["smc", "order"])
def test_completions_of_many_pictures(model: str, pictures: str, method: str) -> None:
    """Each picture by itself: equal for any number of tasks, and equal to completing it alone."""
    settings = {"model": model, "image": pictures, "region": "3:,:", "n": 2, "method": method, "engine": "numpy"}
    for tasks in (1, 4):
        compute("inpaint", f"job{tasks}", tasks, 2, **settings, particles=4, moves=2)
    assert merged("job1", "a.npz") == merged("job4", "b.npz")
    found = np.load("a.npz")
    assert found["levels"].shape == (9, 2, 1, 5, 6)
    assert found["path"].tolist() == [f"{i:02d}.png" for i in range(11) if i not in (4, 7)]
    seed = int(np.random.SeedSequence([0, 5]).generate_state(1, np.uint32)[0])
    known = np.zeros((5, 6), bool)
    known[:3] = True
    alone = pt.inpaint(
        model, Path(pictures) / "05.png", known, n=2, method=method, engine="numpy", seed=seed, particles=4, moves=2,
        threads=1,
    )  # fmt: skip
    assert np.array_equal(found["levels"][4], alone.levels)
    assert len(pt.jobs.status("job4").rejected) == 2


def test_one_bad_item_of_a_batch_is_rejected(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its batch are computed one by one."""

    def compute_or_fail(kept: Any, start: int, stop: int) -> Any:
        if start <= 5 < stop:
            raise ValueError("item 5 is bad\nsecond line")
        return kept(start, stop)

    change_compute(monkeypatch, compute_or_fail)
    for tasks in (1, 4):
        compute("sample", f"job{tasks}", tasks, model=model, **SAMPLE)
        (row,) = [json.loads(line) for line in Path(f"job{tasks}/rejected.jsonl").read_text().splitlines()]
        assert row == {"item": 5, "file": None, "reason": "ValueError: item 5 is bad"}
    assert merged("job1", "a.npz") == merged("job4", "b.npz")
    assert np.load("a.npz")["item"].tolist() == [i for i in range(14) if i != 5]


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left"), pt.ConfigError("`a` (=1) must be 2.")])
def test_a_fault_of_no_item_ends_the_job(model: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk or memory rejects nothing, and finished tasks are kept."""
    computed: list[int] = []

    def compute_or_fail(kept: Any, start: int, stop: int) -> Any:
        if start == 8 and not computed.count(8):
            computed.append(8)
            raise error
        computed.append(start)
        return kept(start, stop)

    with monkeypatch.context() as patch:
        change_compute(patch, compute_or_fail)
        with pytest.raises(type(error)):
            compute("sample", "job", 4, model=model, **SAMPLE)
        assert pt.jobs.status("job").finished == 2
        compute("sample", "job", 4, model=model, **SAMPLE)
    assert computed == [0, 4, 8, 8, 12]
    compute("sample", "other", 1, model=model, **SAMPLE)
    assert merged("job", "a.npz") == merged("other", "b.npz")


class Ended(BaseException):
    """The process has ended."""


@pytest.mark.slow
def test_an_item_has_a_time_limit(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped at a batch computes it one by one when it starts again, and then rejects the item."""
    waiting = threading.Event()
    ended: list[int] = []

    def leave(code: int) -> None:
        ended.append(code)
        waiting.set()

    def compute_or_wait(kept: Any, start: int, stop: int) -> Any:
        if start <= 5 < stop:
            waiting.clear()
            assert waiting.wait(30)
            raise Ended
        return kept(start, stop)

    with monkeypatch.context() as patch:
        change_compute(patch, compute_or_wait)
        patch.setattr(os, "_exit", leave)
        for _ in range(2):
            with pytest.raises(Ended):
                compute("sample", "job", 2, time_limit=0.5, model=model, **SAMPLE)
    assert ended == [EXIT_EXPIRED] * 2
    compute("sample", "job", 2, time_limit=60, model=model, **SAMPLE)
    (row,) = [json.loads(line) for line in Path("job/rejected.jsonl").read_text().splitlines()]
    assert row == {"item": 5, "file": None, "reason": "took longer than 0.5 s"}
    assert np.load("job/parts/00000.npz")["item"].tolist() == [0, 1, 2, 3, 4, 6, 7]


def test_another_job_is_not_mixed_in(model: str) -> None:
    """The manifest names the first difference."""
    base: Mapping[str, Any] = {"model": model, **SAMPLE}
    compute("sample", "job", 2, **base)
    for other, words in (
        ({"seed": 1}, "`seed` 0, now 1"), ({"n": 15}, "`n` 14, now 15"), ({"device": "auto"}, "`device`"),
    ):  # fmt: skip
        with pytest.raises(pt.ConfigError, match=words):
            compute("sample", "job", 2, **{**base, **other})
    with pytest.raises(pt.ConfigError, match="`tasks` 2, now 3"):
        compute("sample", "job", 3, **base)
    Path("full").mkdir()
    Path("full/a.txt").write_text("a")
    with pytest.raises(pt.ConfigError, match="holds other files"):
        compute("sample", "full", 2, **base)


def test_an_unfinished_job_is_not_merged(model: str) -> None:
    """Nor a damaged one, nor is a file replaced."""
    compute("sample", "job", 4, model=model, **SAMPLE)
    (Path("job/completions") / "00002").unlink()
    assert pt.jobs.status("job").pending == (2,)
    assert "1 of 4 tasks of job are missing" in fails("jobs", "merge", "job", "--out", "a.npz")
    assert "pending    2" in run("jobs", "status", "job").output
    compute("sample", "job", 4, model=model, **SAMPLE)
    part = Path("job/parts/00001.npz")
    content = part.read_bytes()
    for wrong in (content[:-1] + b"x", Path("job/parts/00000.npz").read_bytes()):  # the second: doubled images
        part.write_bytes(wrong)
        Path("job/completions/00001").write_text(f"{len(wrong)} {hashlib.sha256(content).hexdigest()}")
        assert "delete job/completions/00001" in fails("jobs", "merge", "job", "--out", "a.npz")
    assert not Path("a.npz").exists()
    Path("a.npz").write_text("mine")
    assert "`--force`" in fails("jobs", "merge", "job", "--out", "a.npz")
    assert "holds no job" in fails("jobs", "status", "elsewhere")


@pytest.mark.parametrize("damage", ["cut", "gone", "longer"])
def test_a_damaged_part_is_computed_again(model: str, damage: str) -> None:
    """The state says so before, and the result is the same after."""
    compute("sample", "job", 3, model=model, **SAMPLE)
    whole, part = merged("job", "a.npz"), Path("job/parts/00001.npz")
    content = part.read_bytes()
    if damage == "gone":
        part.unlink()
    else:
        part.write_bytes(content[:-30] if damage == "cut" else content + b"x")
    assert pt.jobs.status("job").pending == (1,)
    compute("sample", "job", 3, model=model, **SAMPLE)
    assert merged("job", "b.npz") == whole


def test_two_commands_share_a_job(model: str) -> None:
    """Both end well, each has computed a part, and the result is that of one."""
    options = ["-n", "14", "--batch-size", "2", "--engine", "numpy", "--label", "cat", "--tasks", "7", "--out", "job"]
    command = [sys.executable, "-m", "pointillist", "jobs", "sample", model, *options]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        assert "finished   7" in output
    compute("sample", "alone", 7, model=model, **{**SAMPLE, "batch_size": 2})
    assert merged("job", "a.npz") == merged("alone", "b.npz")


def test_another_job_at_the_same_time_is_rejected(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that both find no manifest: the first that writes it wins."""
    compute("sample", "job", 2, model=model, **SAMPLE)
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(()))
    monkeypatch.setattr(JobFolder, "exists", property(lambda self, found=[False]: found.pop() if found else True))
    with pytest.raises(pt.ConfigError, match="`seed` 0, now 1"):
        Worker(JobSpec(job="sample", settings={"model": model, **SAMPLE, "seed": 1}, out=Path("job"), tasks=2))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of the size of a file")
def test_a_full_disk_is_a_sentence(model: str) -> None:
    """Here a limit of the size of a file, which the processes inherit: no traceback, and what is there can go on."""
    command = ["jobs", "sample", model, "-n", 400, "--batch-size", 400, "--engine", "numpy", "--tasks", 1, "--out", "j"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        assert "free some space" in fails(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    run(*command)


@pytest.mark.parametrize("change", [{"tasks": 10**9}, {"tasks": 0}, {"tasks": True}, {"count": "x"}, {"skipped": []}])
def test_a_manifest_of_a_stranger(model: str, change: dict[str, Any]) -> None:
    """A number of tasks that no folder holds is not looked for, file by file."""
    compute("sample", "job", 2, model=model, **SAMPLE)
    path = Path("job/manifest.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for command in (["status", "job"], ["merge", "job", "--out", "a.npz"]):
        assert "is not the manifest of a job" in fails("jobs", *command)


def test_a_task_of_another_process_is_left_to_it(model: str) -> None:
    """Its lock is held; the other tasks are computed."""
    entered, leave = threading.Event(), threading.Event()
    worker = Worker(JobSpec(job="sample", settings={"model": model, **SAMPLE}, out=Path("job"), tasks=4))

    def hold() -> None:
        with worker.folder.lock(1):
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(60)
    worker.run_share(0, 1)
    assert pt.jobs.status("job").pending == (1,)
    leave.set()
    thread.join()
    worker.run_share(0, 1)
    assert pt.jobs.status("job").is_finished


def test_arguments_are_checked(model: str) -> None:
    """Each with a sentence."""
    base = ["jobs", "sample", model, "-n", 4, "--out", "x"]
    assert "`--tasks` (=0) must be a whole number, 1 to 99,999" in fails(*base, "--tasks", 0)
    assert "`--workers` (=0)" in fails(*base, "--tasks", 1, "--workers", 0)
    assert "`--time-limit` (=-1.0)" in fails(*base, "--tasks", 1, "--time-limit", -1)
    assert "`--executor` 'slurm'" in fails(*base, "--tasks", 1, "--executor", "slurm")
    assert "needs torchrun" in fails(*base, "--tasks", 1, "--executor", "torchrun")
    assert not Path("x").exists()
