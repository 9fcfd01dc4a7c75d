"""A tiny run that the training tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

import pointillist as pt
from pointillist.data import DataSplits, ImageDataset
from tests.equality import equal


def tiny_data(images: int = 40, valid: int = 12) -> DataSplits:
    """A few real digits, labelled."""
    digits = pt.load_data("uci-digits")
    assert digits.valid is not None
    return DataSplits(
        train=digits.train.subset(np.arange(images)), valid=digits.valid.subset(np.arange(valid)), test=None
    )


def tiny_model(data: ImageDataset, seed: int = 0, **settings: Any) -> pt.PixelModel:
    """A model of a few hundred weights, with dropout, so that a resumed run must also repeat its random draws."""
    torch.manual_seed(seed)
    settings = {"channels": 6, "layers": 2, "head_channels": 6, "dropout": 0.2, **settings}
    return pt.build("gated-pixelcnn", shape=data.spec, classes=data.classes, order_channels=4, **settings)


def tiny_config(out: Path | None = None, **settings: Any) -> pt.TrainConfig:
    """Eight steps of four images, evaluated and saved every second one."""
    base = {
        "steps": 8,
        "batch_size": 4,
        "schedule.warmup": 2,
        "intervals.evaluate": 2,
        "intervals.save": 2,
        "machine.precision": "fp32",
        "machine.threads": 1,
    }
    return pt.TrainConfig.from_dict({**base, "out": out, **settings})


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def assert_same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Equal to the bit."""
    assert a.keys() == b.keys()
    for name in a:
        assert equal(a[name], b[name]), name


def run_two_processes(program: str, folder: Path) -> list[dict[str, torch.Tensor]]:
    """Run a program under `torchrun --nproc-per-node 2`; the weights it left as `rank-N.safetensors` in `folder`."""
    script, root = folder / "run.py", Path(__file__).parents[2]
    script.write_text(program)
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, folder],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{Path(pt.__file__).parents[1]}:{root}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return [load_file(folder / f"rank-{rank}.safetensors") for rank in range(2)]
