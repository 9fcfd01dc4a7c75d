"""Nothing is lost or mixed: batches go on after any interruption, and one output has one writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.commands.sampling import resumable
from pointillist.files.batch_output import ROWS, batch_output, progress_folder
from pointillist.files.writing import exclusive
from tests.tolerances import printed

from ..cli.helpers import TINY, fails, files_in, run

SAMPLE = ["sample", "digits", "-n", 12, "--batch-size", 4, "--engine", "numpy", "--label", "3"]


def contents(folder: str) -> dict[str, bytes]:
    """The files of a folder."""
    return {name: (Path(folder) / name).read_bytes() for name in files_in(Path(folder))}


def interrupted(
    monkeypatch: pytest.MonkeyPatch, after: int, *command: Any, owner: Any = Image.Image, name: str = "save"
) -> str:
    """The output of a command that is stopped at call number `after`: by default, when it saves an image."""
    from typer.testing import CliRunner

    from pointillist.commands.cli import app

    whole, calls = getattr(owner, name), []

    def stop(*arguments: Any, **options: Any) -> Any:
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(1)
        return whole(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        result = CliRunner().invoke(app, [str(a) for a in command])
    assert result.exit_code == 130
    return result.output


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seeded", [True, False])
def test_samples_go_on(monkeypatch: pytest.MonkeyPatch, seeded: bool) -> None:
    """After the last whole batch, to the same files as without an interruption, with the same seed if none is given."""
    seed = ["--seed", 5] if seeded else []
    told = interrupted(monkeypatch, 10, *SAMPLE, *seed, "--out", "a/")
    assert "8 of 12 images are kept: the same command continues" in told
    assert not Path("a").exists()
    shown = run(*SAMPLE, *seed, "--out", "a/", "--json").output
    assert "continued  at image 9 of 12" in shown
    assert not progress_folder(Path("a")).exists()
    record = json.loads(shown[shown.index("{") :])
    assert record["count"] == 12
    run(*SAMPLE, "--seed", record["seed"], "--out", "b/")
    assert contents("a") == contents("b")
    assert files_in(Path()) == sorted([*(f"{f}/{n}" for f in "ab" for n in files_in(Path(f))), "a", "b"])


def archive(path: str) -> dict[str, Any]:
    """The arrays of an archive."""
    with np.load(path) as found:
        return {name: found[name].tolist() for name in found}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seeded", [True, False])
def test_an_archive_goes_on(monkeypatch: pytest.MonkeyPatch, seeded: bool) -> None:
    """As a folder does, to the same bytes."""
    seed = ["--seed", 5] if seeded else []
    told = interrupted(monkeypatch, 2, *SAMPLE, *seed, "--out", "a.npz", owner=resumable, name="level_bytes")
    assert "8 of 12 images are kept" in told
    files = ["levels.bin", "progress.json", "rows.jsonl"]
    assert files_in(Path()) == [".a.npz.partial", *(f".a.npz.partial/{name}" for name in files)]
    with (progress_folder(Path("a.npz")) / resumable.LEVELS).open("ab") as file:
        file.write(b"a part of a batch")
    shown = run(*SAMPLE, *seed, "--out", "a.npz", "--json").output
    assert "continued  at image 9 of 12" in shown
    record = json.loads(shown[shown.index("{") :])
    run(*SAMPLE, "--seed", record["seed"], "--out", "b.npz")
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    samples = pt.sample("digits", 12, 3, seed=record["seed"], batch_size=4, engine="numpy")
    found = archive("a.npz")
    assert found["levels"] == samples.levels.tolist()
    assert found["nats"] == samples.nats.tolist()
    assert found["labels"] == [3] * 12
    assert record["bits_per_dim"] == pytest.approx(float(samples.bits_per_dim.mean()), abs=printed(4))
    assert files_in(Path()) == ["a.npz", "b.npz"]


def test_an_unfinished_archive_that_was_cut_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, 0, *SAMPLE, "--seed", 5, "--out", "a.npz", owner=resumable, name="write_npz")
    levels = progress_folder(Path("a.npz")) / resumable.LEVELS
    levels.write_bytes(levels.read_bytes()[:-1])
    assert "levels.bin is damaged" in fails(*SAMPLE, "--seed", 5, "--out", "a.npz")


def test_another_command_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused in a sentence that names the setting; `--force` starts over."""
    interrupted(monkeypatch, 10, *SAMPLE, "--seed", 5, "--out", "a/")
    before = contents(".a.partial")
    assert "begun with `--temperature` 1.0, now 0.5" in fails(*SAMPLE, "--seed", 5, "--out", "a/", "--temperature", 0.5)
    assert "`--condition`" in fails(*SAMPLE[:-1], "4", "--seed", 5, "--out", "a/")
    assert contents(".a.partial") == before
    run(*SAMPLE, "--seed", 6, "--out", "a/", "--force")
    assert not Path(".a.partial").exists()


def test_a_row_that_was_cut_is_sampled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, 10, *SAMPLE, "--seed", 5, "--out", "a/")
    rows = Path(".a.partial") / ROWS
    rows.write_bytes(rows.read_bytes()[:-3])
    assert "at image 5" in run(*SAMPLE, "--seed", 5, "--out", "a/").output
    run(*SAMPLE, "--seed", 5, "--out", "b/")
    assert contents("a") == contents("b")


def test_an_interruption_before_the_first_batch_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, 2, *SAMPLE, "--out", "a/")
    assert files_in(Path()) == []


def test_damaged_progress_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, 10, *SAMPLE, "--out", "a/")
    (Path(".a.partial") / "progress.json").write_text("[" * 100_000)
    assert "delete" in fails(*SAMPLE, "--out", "a/")


def test_stream_begins_at_an_image() -> None:
    """With the same bits."""
    from pointillist.sampling.request import Request

    model = pt.load("digits")
    plan = Request.of(6, seed=1, batch_size=2, engine="numpy").resolve(model)
    whole = list(plan.stream())
    rest = list(plan.stream(first=4))
    assert len(rest) == 1
    assert np.array_equal(whole[2].levels, rest[0].levels)


HOLD = """
import sys, time
from pathlib import Path
from pointillist.files.writing import exclusive
with exclusive(Path(sys.argv[1]), Path("out")):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(lock: Path) -> Iterator[int]:
    """Another process that holds a lock, and is killed at the end."""
    program = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process.pid
        finally:
            process.kill()


def test_a_second_writer_is_refused_by_the_name_of_the_first() -> None:
    """In training, its resumption, sampling and evaluation; a process that was killed holds nothing."""
    train = ["train", "uci-digits", "--preset", "tiny", "--steps", 1, *TINY, "--out", "r"]
    Path("r").mkdir()
    with holder(Path("r/.lock")) as number:
        told = fails(*train)
        assert f"r is being written by process {number}" in told
        assert "started 20" in told
        assert files_in(Path("r")) == [".lock"]
        with pytest.raises(pt.ConfigError, match="being written"), exclusive(Path("r/.lock"), Path("r")):
            pass
    assert Path("r/.lock").exists()
    run(*train)
    assert not Path("r/.lock").exists()
    with exclusive(Path(".s.lock"), Path("s")), exclusive(Path(".s.lock"), Path("s")):
        run(*SAMPLE, "--out", "s/")
    with holder(Path(".t.lock")):
        assert "t is being written" in fails(*SAMPLE, "--out", "t/")
    assert files_in(Path("s"))
    with holder(Path("q/.lock")):
        assert "q is being written" in fails("quantize", "digits", "s", "--out", "q")
        assert files_in(Path("q")) == [".lock"]
    run("quantize", "digits", "s", "--out", "q")  # what a dead process left is taken over
    assert "model.safetensors" in files_in(Path("q"))
    assert ".lock" not in files_in(Path("q"))


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[" * 5000, '{"pid": "x", "started": [], "host": 1}', '{"pid": 1e400}']
)
def test_a_lock_of_nobody_is_taken_over(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's lock, and where there is none."""
    Path(".lock").write_text(text)
    with exclusive(Path(".lock"), Path("out")):
        assert json.loads(Path(".lock").read_text())["pid"] == os.getpid()
    assert not Path(".lock").exists()


def test_without_locks_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that the file names is looked for: one of another start time is another process."""
    from pointillist.files import writing as lock

    monkeypatch.setattr(lock, "fcntl", None)
    alive = lock._Process.current()._asdict()
    for owner, free in ((alive, False), ({**alive, "started": 1.0}, True), ({**alive, "pid": 2**22 + 1}, True)):
        Path(".lock").write_text(json.dumps(owner))
        if free:
            with exclusive(Path(".lock"), Path("out")):
                pass
        else:
            with pytest.raises(pt.ConfigError, match=f"process {os.getpid()}"), exclusive(Path(".lock"), Path("out")):
                pass
    Path(".lock").write_text(json.dumps({**alive, "host": "elsewhere"}))
    with pytest.raises(pt.ConfigError, match="on elsewhere"), exclusive(Path(".lock"), Path("out")):
        pass


def test_any_batch_command_can_go_on() -> None:
    """The mechanism by itself: whole batches are kept, and items are made once."""
    made: list[int] = []

    def make(stop: int) -> list[int]:
        with batch_output(Path("numbers"), {"seed": 0}) as output:
            for start in range(output.keep(3), 9, 3):
                if start == stop:
                    raise KeyboardInterrupt
                made.extend(range(start, start + 3))
                output.append(list(range(start, start + 3)))
            found = list(output.rows())
            output.discard()
            return found

    with pytest.raises(KeyboardInterrupt):
        make(6)
    assert make(-1) == list(range(9))
    assert made == list(range(9))


@pytest.mark.slow
def test_samples_go_on_after_a_kill() -> None:
    """`kill -9`, three times, at any moment."""
    command = ["sample", "digits", "-n", 96, "--batch-size", 8, "--engine", "numpy", "--seed", 1, "--out"]
    program = [sys.executable, "-m", "pointillist", *map(str, command), "a/"]
    for least in (1, 17, 33):
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rows = Path(".a.partial") / ROWS
        while process.poll() is None and not (rows.exists() and rows.read_bytes().count(b"\n") >= least):
            time.sleep(0.05)
        process.kill()
        process.wait()
    assert not Path("a").exists()
    assert "continued" in run(*command, "a/").output
    run(*command, "b/")
    assert contents("a") == contents("b")
    assert not list(Path().glob(".*"))
