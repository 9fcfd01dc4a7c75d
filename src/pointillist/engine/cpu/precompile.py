"""Compile in the background, while a command that will sample opens its model and encodes its prompts.

Another process does it. A thread would hold the global interpreter lock, and delay the command.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import numpy as np
import torch

from pointillist.engine.batch import SampleBatch
from pointillist.engine.cpu.jit import announce, cache_folder
from pointillist.engine.cpu.sampler import CpuSampler, DrawSpec
from pointillist.engine.recording.record import record


def precompile_in_background() -> None:
    """Start to compile the sampler, unless it is cached. A caller that samples before the end waits for it."""
    if any(cache_folder().rglob("sample_loop.sample_images-*.nbi")):  # numba's index of the function
        return
    announce()
    nowhere = subprocess.DEVNULL
    with suppress(OSError):  # then the sampler compiles it
        subprocess.Popen([sys.executable, "-m", __name__], stdin=nowhere, stdout=nowhere, stderr=nowhere)


def sample_one_pixel() -> None:
    """Sample the smallest image there is."""
    black = torch.zeros(2, 1, 1, 1)
    program = record(
        lambda canvas, ctx: torch.conv2d(ctx.window("left", canvas, up=0, left=1, right=-1), black),
        num_sub_steps=1,
        canvas_width=1,
        height=1,
        width=1,
    )
    pixel = np.zeros((1, 1, 1, 1), np.int64)
    draw = DrawSpec("categorical", np.zeros((2, 1), np.float32), channels=1)
    CpuSampler(program, draw).sample(SampleBatch(pixel, pixel.astype(bool), pixel.astype(np.float64), np.zeros(1)))


if __name__ == "__main__":
    sample_one_pixel()
