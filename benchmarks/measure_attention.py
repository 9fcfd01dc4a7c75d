"""Memory and time of a training step of PixelSNAIL at 32x32 RGB, one thread, with our attention and with N x N weights.

    python benchmarks/measure_attention.py [ours|naive] [PRESET] [BATCH] [float32|bfloat16]

Prints the peak of resident memory over what was there before the first step (weights, gradients and Adam's state
included), and images a second of processor time. One measurement a process, because a peak does not come down.
"""

from __future__ import annotations

import resource
import sys
import time

import torch
from torch import Tensor

import pointillist as pt
from pointillist.nn import passes


def naive(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Textbook attention, with all N x N weights kept for the gradient."""
    height, width = q.shape[2:]
    q, k, v = (t.unflatten(1, (heads, -1)).flatten(3).transpose(2, 3) for t in (q, k, v))
    unseen = torch.ones(height * width, height * width, dtype=torch.bool).triu()
    scores = (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).masked_fill(unseen, -1e30)
    weights = scores.softmax(3)
    return (
        (weights * (torch.arange(height * width) > 0)[:, None] @ v)
        .transpose(2, 3)
        .flatten(1, 2)
        .unflatten(2, (height, width))
    )


def peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(how: str = "ours", preset: str = "base", batch: str = "16", precision: str = "float32") -> None:
    """Two steps; the faster one counts."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if how == "naive":
        passes.strict_attention = naive
    model = pt.build("pixelsnail", shape=(3, 32, 32), preset=preset, dropout=0.0).train()
    optimiser = torch.optim.Adam(model.parameters())
    x = torch.randint(0, 256, (int(batch), 3, 32, 32))
    before, seconds = peak(), []
    for _ in range(2):
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = -model(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.process_time() - start)
    rate = int(batch) / min(seconds)
    print(f"{how} {preset} batch {batch} {precision}: {peak() - before:,.0f} MB, {rate:.1f} images/s, {loss:.2f} nats")


if __name__ == "__main__":
    main(*sys.argv[1:])
