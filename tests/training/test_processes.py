"""Two processes on one machine: equal weights on both, and nearly the loss of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

import pointillist as pt

from .helpers import tiny_config, tiny_data, tiny_model

PROGRAM = """
import sys, torch, os
from pathlib import Path
from safetensors.torch import save_file
from tests.training.helpers import *
data = tiny_data()
model = tiny_model(data.train, dropout=0.0)
result = pt.train(model, data, tiny_config(Path(sys.argv[1]) / "run", label_dropout=0.0))
rank = os.environ["RANK"]
state = {k: v.contiguous() for k, v in model.named_parameters()}
save_file(state, f"{sys.argv[1]}/rank-{rank}.safetensors")
"""


def test_two_processes_agree(tmp_path: Path) -> None:
    """`torchrun --nproc-per-node 2` over gloo."""
    script = tmp_path / "run.py"
    script.write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [*command, str(script), str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    ranks = [load_file(tmp_path / f"rank-{rank}.safetensors") for rank in range(2)]
    for name in ranks[0]:
        assert torch.equal(ranks[0][name], ranks[1][name]), name
    data = tiny_data()
    single = pt.train(tiny_model(data.train, dropout=0.0), data, tiny_config(label_dropout=0.0))
    both = pt.evaluate(pt.load(tmp_path / "run" / "last"), data.valid).bits_per_dim
    assert abs(both - pt.evaluate(single.model, data.valid).bits_per_dim) < 1e-3
