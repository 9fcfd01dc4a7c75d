"""Two processes: equal weights on both, nearly the loss of one process, and an exact end after a kill of one."""

from __future__ import annotations

from pathlib import Path

import pytest

import pointillist as pt

from .helpers import assert_same_weights, run_two_processes, tiny_config, tiny_data, tiny_model

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
