"""The sample sheets of a run."""

from __future__ import annotations

from pathlib import Path

from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.visualization import image_grid, save_png


def write_sample_sheet(model: PixelModel, folder: Path, step: int) -> None:
    """Write a sheet of samples to `folder/step-N.png`: two of each of the first eight classes, or sixteen."""
    if model.image.levels > 256 and model.tileset is None:
        return  # codes are not displayable
    classes = list(model.config.classes)[:8]
    labels = [name for name in classes for _ in range(2)] or None
    samples = sample(model, len(labels) if labels else 16, labels, seed=0)
    save_png(image_grid(samples.drawn(), captions=labels), folder / f"step-{step:07d}.png")
