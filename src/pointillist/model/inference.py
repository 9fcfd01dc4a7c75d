"""Evaluate a model: in evaluation mode, without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pointillist.model.pixel_model import PixelModel


@contextmanager
def inference_mode(model: PixelModel) -> Iterator[None]:
    """Within the block the model is in evaluation mode and records no gradients."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if training:
            model.train()
