"""What a run will be: images, device, precision and batch size resolved, and told in a few lines."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.model.pixel_model import PixelModel
from pointillist.training.batch_size import largest_batch
from pointillist.training.config import TrainConfig
from pointillist.training.precision import resolve_device, resolve_precision


def splits_of(data: Any) -> DataSplits:
    """Splits, from a data set, splits of one, or anything `load_data` reads."""
    if isinstance(data, DataSplits):
        return data
    if isinstance(data, ImageDataset):
        return DataSplits(train=data, valid=None, test=None)
    return load_data(data)


def prepare(model: PixelModel, config: TrainConfig) -> tuple[Accelerator, TrainConfig, str]:
    """Device, precision and batch size, resolved; and why this precision."""
    if config.threads:
        torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    precision, why = resolve_precision(config.precision, device, model)
    # precision is the loop's: an accelerator's is fixed for the whole process, and a process may train twice
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    set_seed(config.seed)
    updates: dict[str, Any] = {"precision": precision}
    if config.batch_size == "auto":
        parts = accelerator.num_processes * config.accumulate
        fitting = torch.tensor([largest_batch(model.to(accelerator.device))], device=accelerator.device)
        updates["batch_size"] = parts * int(accelerator.gather(fitting).min())  # one size for all processes
    return accelerator, config.model_copy(update=updates), why


def describe(
    model: PixelModel, splits: DataSplits, config: TrainConfig, why: str, accelerator: Accelerator
) -> list[str]:
    """What is about to run, in a few lines."""
    images, valid = splits.get("train"), splits.valid
    checked = f"{len(valid):,} for validation" if valid is not None else "none for validation"
    steps = config.total_steps(len(images), int(config.batch_size))
    return [
        f"model      {model.config.model_type}, {model.num_parameters:,} parameters, {model.likelihood.name}",
        f"images     {len(images):,} of {images.name}, {checked}",
        *(f"           {note}" for note in images.notes),
        f"training   {steps:,} steps of {config.batch_size} images, {config.precision} ({why}), "
        f"{accelerator.num_processes} process(es) on {accelerator.device}, {torch.get_num_threads()} thread(s)",
    ]
