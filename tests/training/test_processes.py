"""Two processes on one machine: equal weights on both, and nearly the loss of one process."""

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
    both = pt.evaluate(pt.load(tmp_path / "run" / "last"), data.valid).bits_per_dim
    assert abs(both - pt.evaluate(single.model, data.valid).bits_per_dim) < 1e-3
