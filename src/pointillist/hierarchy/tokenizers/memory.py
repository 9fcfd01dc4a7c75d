"""Memory of a training step of a tokenizer, estimated before it is spent: from two small images."""

from __future__ import annotations

import torch

from pointillist.errors import ConfigError, counted
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.model.memory import STATES, WORKSPACE, MemoryUse, memory_sentence, peak_bytes
from pointillist.system import free_bytes

SIDES = 4, 6
"""Sides of the two small grids of codes."""


def tokenizer_memory(tokenizer: Tokenizer) -> MemoryUse:
    """Estimate the memory of a training step in fp32; it grows linearly with the number of pixels.

    ```python
    tokenizer_memory(tokenizer).bytes(16, 64, 64)
    ```
    """
    config, peaks = tokenizer.config, []
    small = Tokenizer(config)
    for side in (side * config.downsample for side in SIDES):
        x = torch.zeros(1, config.image.channels, side, side, dtype=torch.int64)
        peaks.append(peak_bytes(lambda x=x: small(x).backward()))  # type: ignore[misc]
    first, second = ((side * config.downsample) ** 2 for side in SIDES)
    per_pixel = max(1.0, (peaks[1] - peaks[0]) / (second - first))
    fixed = 4 * STATES * tokenizer.num_parameters + WORKSPACE * max(0.0, peaks[0] - per_pixel * first)
    return MemoryUse(fixed, WORKSPACE * per_pixel)


def check_tokenizer_memory(tokenizer: Tokenizer, count: int, size: tuple[int, int]) -> None:
    """Check that a training step on `count` images of a size `(height, width)` fits in the free memory.

    Raises:
        ConfigError: naming the estimate, the free memory, and what would fit.
    """
    free = free_bytes(tokenizer.device)
    if free is None:
        return
    use = tokenizer_memory(tokenizer)
    needed = use.bytes(count, *size)
    if needed > free:
        largest = use.largest_count(free, *size)
        fitting = [f"`batch_size={largest}`"] if largest else []
        what = f"A training step on {counted(count, 'image')} of {size[0]}x{size[1]} by this tokenizer"
        raise ConfigError(memory_sentence(what, needed, free, fitting))
