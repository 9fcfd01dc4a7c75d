"""An interrupted run, of one process or two, goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import pointillist as pt
from pointillist.files.tensors import read_tensors
from pointillist.training import Interrupted
from pointillist.training.trainer import Trainer

from .helpers import assert_same_weights, run_two_processes, tiny_config, tiny_data, tiny_model, weights


def state_of(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return read_tensors(folder / "state" / f"step-{step:09d}" / "state.safetensors")


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "speed"} for line in lines]


def interrupt_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Press Ctrl-C in the middle of a step."""
    original = Trainer.step

    def stepping(self: Trainer) -> tuple[float, list[int]]:
        if self.progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self)

    monkeypatch.setattr(Trainer, "step", stepping)


def drawn_digits(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Draw digits without end."""
    digits = pt.load_data("uci-digits").get("train")
    while True:
        number = int(rng.integers(len(digits)))
        levels = (digits[number]["levels"][0] * 15).astype(np.uint8)
        yield {"image": levels, "label": digits[number]["label"] % 3, "combination": number}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["plain", "augmented", "drawn"])
def test_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Ctrl-C at an odd step, then `resume`: weights, moments, average and metrics are those of a straight run."""
    monkeypatch.setattr("pointillist.data.readers.sequence.EPOCH", 12)
    data, augmented = pt.load_data(drawn_digits) if kind == "drawn" else tiny_data(), kind == "augmented"
    extra: dict[str, Any] = {}
    if augmented:
        extra = {"augmentation": {"flip": True, "random_shift": 1}, "grad_accumulation": 2, "quantization_aware": True}
    orders = "raster,raster-columns-br" if augmented else "raster"  # one of them a step, drawn from a counter
    straight = pt.train(tiny_model(data.train, orders=orders), data, tiny_config(tmp_path / "a", **extra))
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)
        with pytest.raises(Interrupted):
            pt.train(tiny_model(data.train, orders=orders), data, tiny_config(tmp_path / "b", **extra))
    assert (tmp_path / "b" / "state" / "step-000000005").is_dir()
    resumed = pt.train(
        tiny_model(data.train, seed=9, orders=orders), data, tiny_config(tmp_path / "b", **extra), resume=True
    )
    assert_same_weights(state_of(tmp_path / "a", 8), state_of(tmp_path / "b", 8))
    assert_same_weights(weights(straight.model), weights(resumed.model))
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


@pytest.mark.slow
def test_kill_leaves_a_state_to_resume(tmp_path: Path) -> None:
    """`kill -9` at any moment: the newest whole state is found, and the end is the same."""
    program = (
        "import sys; from pathlib import Path; from tests.training.helpers import *\n"
        "data = tiny_data(); pt.train(tiny_model(data.train), data, tiny_config(Path(sys.argv[1]), steps=4000))"
    )
    folder = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 180
    while not list((folder / "state").glob("step-0000000*[468]")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    data = tiny_data()
    # the killed run was planned for 4,000 steps, so its learning rates are those of a long run: finish one like it
    reached = max(int(p.name.split("-")[1]) for p in (folder / "state").glob("step-*"))
    straight_out = tmp_path / "straight"
    for out, resume in ((folder, True), (straight_out, False)):
        stop_at(reached + 6, out, data, resume)
    assert_same_weights(state_of(folder, reached + 6), state_of(straight_out, reached + 6))


def stop_at(step: int, out: Path, data: pt.DataSplits, resume: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, step - 1)
        with pytest.raises(Interrupted):
            pt.train(tiny_model(data.train), data, tiny_config(out, steps=4000), resume=resume)


def test_damaged_newest_state_is_passed_over(tmp_path: Path) -> None:
    """A state that a disk has damaged is skipped for the one before it."""
    data = tiny_data()
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a"))
    whole = state_of(tmp_path / "a", 8)
    (tmp_path / "a" / "state" / "step-000000008" / "state.safetensors").write_bytes(b"nonsense")
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a"), resume=True)
    assert_same_weights(whole, state_of(tmp_path / "a", 8))


def test_other_images_are_refused(tmp_path: Path) -> None:
    """A run cannot go on with images it was not trained on."""
    data = tiny_data()
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a"))
    with pytest.raises(pt.TrainingError, match="trained on other images"):
        pt.train(tiny_model(data.train), tiny_data(images=39), tiny_config(tmp_path / "a"), resume=True)


def test_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    """Starting in the folder of a run needs `resume`, and resuming needs a run."""
    data = tiny_data()
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a"))
    with pytest.raises(pt.ConfigError, match="add `resume`"):
        pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a"))
    shutil.rmtree(tmp_path / "a" / "state")
    with pytest.raises(pt.TrainingError, match="no training state"):
        pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "a"), resume=True)


@pytest.mark.parametrize("damage", ["[]", '{"step": "4"}', "{}", "negative", "cut"])
def test_a_damaged_newest_checkpoint_is_passed_over_aloud(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entries of another type, and weights that are cut; without a whole one there is nothing to resume."""
    data, config = tiny_data(), tiny_config(tmp_path / "a")
    pt.train(tiny_model(data.train), data, config)
    older, newest = sorted((tmp_path / "a" / "state").glob("step-*"))

    def damaged(folder: Path) -> None:
        if damage == "cut":
            weights = folder / "state.safetensors"
            weights.write_bytes(weights.read_bytes()[:-100])
        elif damage == "negative":
            record = json.loads((folder / "state.json").read_text())
            (folder / "state.json").write_text(json.dumps({**record, "step": -1}))
        else:
            (folder / "state.json").write_text(damage)

    damaged(newest)
    pt.train(tiny_model(data.train), data, config, resume=True, console=Console(width=200))
    shown = capsys.readouterr().out
    assert "a newer checkpoint is left out" in shown
    assert f"{newest.name}/state" in shown
    assert f"resumed at step {int(older.name.removeprefix('step-')):,}" in shown
    for folder in (tmp_path / "a" / "state").glob("step-*"):
        damaged(folder)
    with pytest.raises(pt.TrainingError) as info:
        pt.train(tiny_model(data.train), data, config, resume=True)
    assert str(info.value).endswith(", and no older checkpoint can be read: start another run, without `resume`.")
    assert f"{newest.name}/state" in str(info.value)
    assert "resume from" not in str(info.value)


PROGRAM = """
import sys, torch, os
from pathlib import Path
from safetensors.torch import save_file
from tests.training.helpers import *
data = tiny_data()
model = tiny_model(data.train, dropout=0.0)
result = pt.train(model, data, tiny_config(Path(sys.argv[1]) / "run", **{"condition_dropout.label": 0.0}))
rank = os.environ["RANK"]
state = {k: v.contiguous() for k, v in model.named_parameters()}
save_file(state, f"{sys.argv[1]}/rank-{rank}.safetensors")
"""


@pytest.mark.slow  # that two processes end with equal weights, `test_start.py` checks too
def test_two_processes_agree(tmp_path: Path) -> None:
    """`torchrun --nproc-per-node 2` over gloo."""
    assert_same_weights(*run_two_processes(PROGRAM, tmp_path))
    data = tiny_data()
    single = pt.train(tiny_model(data.train, dropout=0.0), data, tiny_config(**{"condition_dropout.label": 0.0}))
    both = pt.evaluate(pt.load(tmp_path / "run" / "last"), data.valid, engine="torch").bits_per_dim
    assert abs(both - pt.evaluate(single.model, data.valid, engine="torch").bits_per_dim) < 1e-3


KILLED = """
import os, signal, sys
from pathlib import Path
from safetensors.torch import save_file
from tests.training.helpers import *
from pointillist.training.trainer import Trainer
folder, name, resume = Path(sys.argv[1]), {name!r}, {resume!r}
step = Trainer.step

def step_or_die(self):
    if {dies!r} and os.environ["RANK"] == "1" and self.progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)

Trainer.step = step_or_die
data = tiny_data()
result = pt.train(tiny_model(data.train, seed={seed!r}), data, tiny_config(folder / name), resume=resume)
state = {{k: v.contiguous() for k, v in result.model.named_parameters()}}
save_file(state, f"{{folder}}/rank-{{os.environ['RANK']}}.safetensors")
"""


@pytest.mark.slow  # three times torchrun; resumed runs are those of `test_resume.py`
def test_a_process_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    """The other one ends too; resumed, the run has the weights of an uninterrupted one, to the bit, with dropout."""
    straight = run_two_processes(KILLED.format(name="straight", resume=False, dies=False, seed=0), tmp_path)
    with pytest.raises(AssertionError, match="SIGKILL"):
        run_two_processes(KILLED.format(name="killed", resume=False, dies=True, seed=0), tmp_path)
    assert sorted(p.name for p in (tmp_path / "killed" / "state").glob("step-*"))[-1] == "step-000000004"
    resumed = run_two_processes(KILLED.format(name="killed", resume=True, dies=False, seed=9), tmp_path)
    for one, other in zip(straight, resumed, strict=True):
        assert_same_weights(one, other)
