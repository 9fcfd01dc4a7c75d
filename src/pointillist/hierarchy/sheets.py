"""Sample sheets of the stages: codes as pictures of their tokenizer, pixels next to the images they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pointillist.hierarchy.config import PIXELS, scale_of
from pointillist.hierarchy.data import Pyramid
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.plan import SamplePlan
from pointillist.training.integers import SampleWriter
from pointillist.visualization import image_grid, save_png

SHOWN = 8
"""Images of a sheet."""


def sheet_writer(stage: str, pyramid: Pyramid, tokenizers: Sequence[Tokenizer]) -> SampleWriter:
    """Return the function that writes the sheets of a stage.

    Args:
        stage: `codes` of a scale, or `pixels`.
        pyramid: images with their codes, of which the first condition the samples.
        tokenizers: those that decode codes; without them, codes are not shown.
    """

    def write(model: PixelModel, folder: Path, step: int) -> None:
        data = pyramid.of_stage(stage, model.config.conditions)
        count = min(SHOWN, len(data))
        hints = data.batch(np.arange(count)).hints
        shown = data.spec if stage == PIXELS else tokenizers[0].config.image if tokenizers else None
        if shown is None or shown.levels > 256 or not count:
            return
        conditions: dict[str, Any] = {} if hints is None else {"hint": hints}
        samples = SamplePlan.of(model, count, seed=0, **conditions).sample()
        if stage == PIXELS:
            pictures = shown.to_images(np.concatenate([data.batch(np.arange(count)).levels, samples.levels]))
        else:
            levels = torch.from_numpy(samples.levels)
            for tokenizer in reversed(tokenizers[: scale_of(stage)]):
                levels = tokenizer.decode(levels).cpu()
            pictures = shown.to_images(levels)
        save_png(image_grid(pictures, columns=count), folder / f"step-{step:07d}.png")

    return write
