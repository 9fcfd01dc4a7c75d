"""Estimate the cost of the papers' models on one GPU, in some minutes: `python benchmarks/gpu_cost.py`.

It writes `docs/evidence/gpu_cost.md`.

Counted, not timed: we had no GPU. A training step of one image is run on fake tensors, and its matrix products and its
kernels are counted. A step takes the longer of two times: its arithmetic at a share of the peak of the GPU, or the
launch of its kernels, one after the other, which limits recurrent layers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import pointillist as pt
from pointillist.files.settings_tree import read_toml
from pointillist.training.runs.config import RunConfig, with_preset

PAGE = Path(__file__).parents[1] / "docs" / "evidence" / "gpu_cost.md"
RECIPES = Path(__file__).parents[1] / "recipes" / "paper-cifar10"
IMAGES = 50_000 - 1_000  # 1,000 are kept for validation
PEAK, SHARE, START = 989e12, 0.3, 5e-6  # H100, dense bf16, products a second; of which reached; seconds a kernel
HEAD = f"""# GPU cost of the papers' CIFAR-10 models

<!-- Made by benchmarks/gpu_cost.py: do not edit. -->

**Estimated, not measured**: we had no GPU. A training step of one image (forward and backward) is run on fake tensors,
and its arithmetic and its kernels are counted. The estimate assumes that an H100 reaches {SHARE:.0%} of its
{PEAK / 1e12:.0f} dense bf16 TFLOP/s (2 FLOP per multiply-add), and launches a kernel every {START * 1e6:.0f}
microseconds; a step takes the longer of the two. The optimiser, validation and data loading are left out. Every run
config trains for 200 epochs of 49,000 images, which is our choice (the default of the Flax port of PixelCNN++): the
papers do not give a number.

Each run config was tested here for two steps of one image at full size, on the CPU in bf16, without a break and
interrupted after the first step, saved and resumed: the states are equal to the bit (2026-11-25, one thread of a busy
AMD EPYC, 20 to 313 s each; `pytest -m slow tests/training/test_paper_recipes.py`). No model was trained.

| run config | parameters | GFLOP per image | batch | steps | kernels per step | limited by | H100 hours |
|---|---|---|---|---|---|---|---|
"""


class Kernels(TorchDispatchMode):
    """Count the operations that launch a kernel: all but views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view and func.namespace == "aten"
        return func(*args, **(kwargs or {}))


def count(model: str, preset: str) -> tuple[int, int, int]:
    """Count parameters, FLOP and kernels of a training step of one 32 x 32 RGB image."""
    net = pt.build(model, shape=(3, 32, 32), preset=preset).train()
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.zeros(1, 3, 32, 32, dtype=torch.int64)
        with FlopCounterMode(display=False) as flops, Kernels() as kernels:
            net.unchecked_log_prob_map(x, None, net.order(None)).sum().backward()  # there are no values to check
    return net.num_parameters(), flops.get_total_flops(), kernels.count


def row(path: Path) -> str:
    """Return a row of the table."""
    run = RunConfig.from_dict(with_preset(read_toml(path)))
    assert run.model.preset is not None
    parameters, flop, kernels = count(run.model.type, run.model.preset)
    batch = int(run.train.batch_size)
    steps = run.train.total_steps(IMAGES, batch)
    arithmetic, starts = flop * batch / (PEAK * SHARE), kernels * START
    hours = steps * max(arithmetic, starts) / 3600
    limit = "arithmetic" if arithmetic > starts else "kernels"
    counts = f"{parameters:,} | {flop / 1e9:.1f} | {batch} | {steps:,} | {kernels:,}"
    return f"| `{path.name}` | {counts} | {limit} | {hours:.1f} |"


def main(chosen: list[str]) -> None:
    """Write the page, or print the rows of the chosen run configs."""
    paths = sorted(p for p in RECIPES.glob("*.toml") if not chosen or p.stem in chosen)
    lines = []
    for path in paths:
        lines.append(row(path))
        print(lines[-1], flush=True)
    if not chosen:
        PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
