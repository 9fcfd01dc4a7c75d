"""Laws of interruptions: what is stopped and started again ends as what was never stopped."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.cli import app
from pointillist.commands.jobs.kinds.sample import SampleJob
from pointillist.commands.jobs.settings import JobSpec
from pointillist.commands.jobs.worker import Worker
from pointillist.commands.sampling import resumable
from pointillist.engine.c import run as c_run

from .lab import Lab, SilentError, law, same, with_integers
from .roads import command, words_of


def stopping(function: Callable[..., Any], after: int) -> Callable[..., Any]:
    """Return a function that is interrupted at a call."""
    calls: list[int] = []

    def stop(*arguments: Any, **keywords: Any) -> Any:
        calls.append(1)
        if len(calls) == after:
            raise KeyboardInterrupt
        return function(*arguments, **keywords)

    return stop


def contents(path: Path) -> dict[str, bytes]:
    """Return the bytes of a file, or of all files of a folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {one.name: one.read_bytes() for one in sorted(path.iterdir())}


def stopped_and_again(words: list[Any], owner: Any, name: str, after: int) -> None:
    """Run a command that is interrupted at a call, if there are so many, and run it again."""
    with patch.object(owner, name, stopping(getattr(owner, name), after)):
        done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code == 130:
        command(words, f"{words} after a stop")
    elif done.exit_code:
        raise SilentError(f"{words}: {done.output} {done.exception!r}")


@law(4)
def samples(rng: random.Random, lab: Lab) -> None:
    """A folder or an archive of samples, by the bytes."""
    subject, n = lab.choose(rng, with_integers), rng.randint(2, 9)
    how, form = subject.draw(rng), rng.choice(["", ".npz"]) if subject.model.image.levels <= 256 else ".npz"
    base = ["sample", subject.source, "-n", n, *words_of(how), "--batch-size", rng.randint(1, n), "--out"]
    owner, name = (Image.Image, "save") if not form and rng.random() < 0.5 else (c_run, "sample_in_c")
    if form and rng.random() < 0.5:
        owner, name = resumable, "level_bytes"
    whole, stopped = lab.path(form), lab.path(form)
    command([*base, whole if form else f"{whole}/"], f"{subject.name} {how}")
    stopped_and_again([*base, stopped if form else f"{stopped}/"], owner, name, rng.randint(1, n))
    about = f"{subject.name} {how} -n {n} stopped in {name}"
    one, other = contents(whole), contents(stopped)
    same(sorted(one), sorted(other), f"{about}: files")
    same([one[k] for k in sorted(one)], [other[k] for k in sorted(other)], about)


@law(2)
def likelihoods(rng: random.Random, lab: Lab) -> None:
    """A table of likelihoods."""
    subject = lab.choose(
        rng, with_integers, lambda s: s.model.image.mode == "grey" and s.model.image.levels in (2, 4, 16, 256)
    )
    n, folder = rng.randint(2, 7), lab.path()
    folder.mkdir()
    for number, image in enumerate(pt.sample(subject.model, n, seed=rng.randrange(99), size=subject.size).images):
        image.save(folder / f"{number}.png")
    base = ["evaluate", subject.source, folder, "--split", "all", "--batch-size", rng.randint(1, n), "--per-image"]
    whole, stopped = lab.path(".csv"), lab.path(".csv")
    command([*base, whole], f"{base}")
    from pointillist.evaluation import likelihood

    stopped_and_again([*base, stopped], likelihood, "negative_log_likelihoods", rng.randint(1, n))
    same(whole.read_bytes(), stopped.read_bytes(), f"{base}")


@law(2)
def jobs(rng: random.Random, lab: Lab) -> None:
    """A job whose batch is interrupted, gone on by a process that may have another rank."""
    subject, n = lab.choose(rng, with_integers), rng.randint(2, 8)
    tasks, batch = rng.randint(1, 4), rng.randint(1, 3)
    values = {"model": subject.source, "n": n, "seed": rng.randrange(2**53), "batch_size": batch}
    merged = []
    for after in (0, rng.randint(1, 1 + n // batch)):
        out = lab.path()
        spec = JobSpec(job="sample", settings=values, out=out, tasks=tasks, time_limit=None)
        try:
            with patch.object(SampleJob, "compute", stopping(SampleJob.compute, after)):
                Worker(spec).run_share(0, 1)
        except KeyboardInterrupt:
            for rank in reversed(range(2)):
                Worker(spec).run_share(rank, 2)
        pt.jobs.merge(out, out.with_suffix(".npz"))
        merged.append(out.with_suffix(".npz").read_bytes())
    same(merged[0], merged[1], f"{values}, {tasks} tasks, stopped")
