"""`train`: everything around the loop, from a model and images to a folder that can be loaded and resumed."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from rich.console import Console

from pointillist._version import __version__
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.errors import ConfigError, TrainingError
from pointillist.factory import PretrainedPixelModel, default_card, load
from pointillist.scoring import check_spec
from pointillist.training.batch_size import largest_batch
from pointillist.training.config import TrainConfig
from pointillist.training.precision import resolve_device, resolve_precision
from pointillist.training.progress import Progress
from pointillist.training.trainer import Trainer

Painter = Callable[[PretrainedPixelModel, Path, int], None]


@dataclass(frozen=True)
class TrainResult:
    """What a run gave.

    Attributes:
        model: the best averaged weights on validation images (the last ones where there are none), in evaluation mode.
        steps: optimiser steps done.
        valid_bits_per_dim: lowest validation bits/dim; infinite without validation images.
        folder: the run's folder, or None.
    """

    model: PretrainedPixelModel
    steps: int
    valid_bits_per_dim: float
    folder: Path | None


def train(
    model: PretrainedPixelModel,
    data: Any,
    config: TrainConfig | dict[str, Any] | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
    record: dict[str, Any] | None = None,
    paint: Painter | None = None,
) -> TrainResult:
    """Train a model on images.

    Args:
        model: from `build` or `load`.
        data: a data set, splits of one, or anything `load_data` reads.
        config: settings; a dictionary overrides the defaults.
        resume: go on from the newest state in `config.out`, exactly as if the run had not been interrupted.
        console: where to show progress; None is silent.
        record: the resolved settings of the whole run, stored with the model.
        paint: paints a sheet of samples into a folder, now and then.

    Raises:
        ConfigError, DataError: if settings, images and model do not fit together.
        TrainingError: if the loss is not finite or diverges, or there is nothing to resume.
        Interrupted: after Ctrl-C, with the state saved.
    """
    config = config if isinstance(config, TrainConfig) else TrainConfig.from_dict(dict(config or {}))
    splits = _splits(data)
    images = splits.get("train")
    check_spec(model, images)
    accelerator, config, why = _prepare(model, config)
    _check_folder(config, resume)
    notes = _say_plan(model, images, splits.valid, config, why, accelerator, console)
    stamped = {"record": record or {"train": config.model_dump(mode="json")}, "notes": notes}

    def save(folder: Path, progress: Progress) -> None:
        model.training_record = {**stamped, **_outcome(progress)}
        model.card = training_card(model, images, model.training_record)
        model.save_pretrained(folder)

    painter = None if paint is None else (lambda folder, step: paint(model, folder, step))
    trainer = Trainer(model, images, splits.valid, config, accelerator, console=console, save_model=save, paint=painter)
    if resume:
        trainer.resume()
        if console is not None and accelerator.is_main_process:
            console.print(f"resumed at step {trainer.progress.step:,} of {trainer.total:,}", highlight=False)
    try:
        progress = trainer.run()
        _take_best(model, trainer, config)
    finally:
        trainer.release()
        accelerator.end_training()
    return TrainResult(model.eval(), progress.step, progress.best, config.out)


def _splits(data: Any) -> DataSplits:
    if isinstance(data, DataSplits):
        return data
    if isinstance(data, ImageDataset):
        return DataSplits(train=data, valid=None, test=None)
    return load_data(data)


def _prepare(model: PretrainedPixelModel, config: TrainConfig) -> tuple[Accelerator, TrainConfig, str]:
    """Device, precision and batch size, resolved."""
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


def _check_folder(config: TrainConfig, resume: bool) -> None:
    out = config.out
    if out is None:
        if resume:
            raise ConfigError("`resume` needs `out`, the folder of the run to go on with.")
        return
    if not resume and (out / "state").exists():
        raise TrainingError(f"{out} already holds a run: add `--resume` to go on with it, or choose another `--out`.")
    out.mkdir(parents=True, exist_ok=True)


def _say_plan(
    model: PretrainedPixelModel,
    images: ImageDataset,
    valid: ImageDataset | None,
    config: TrainConfig,
    why: str,
    accelerator: Accelerator,
    console: Console | None,
) -> list[str]:
    """What is about to run, in a few lines; also kept with the model."""
    checked = f"{len(valid):,} for validation" if valid is not None else "none for validation"
    steps = config.total_steps(len(images), int(config.batch_size))
    lines = [
        f"model      {model.config.model_type}, {model.num_parameters:,} parameters, {model.likelihood.name}",
        f"images     {len(images):,} of {images.name}, {checked}",
        *(f"           {note}" for note in images.notes),
        f"training   {steps:,} steps of {config.batch_size} images, {config.precision} ({why}), "
        f"{accelerator.num_processes} process(es) on {accelerator.device}, {torch.get_num_threads()} thread(s)",
    ]
    if console is not None and accelerator.is_main_process:
        for line in lines:
            console.print(line, highlight=False)
    return list(images.notes)


def _outcome(progress: Progress) -> dict[str, Any]:
    found = progress.best < float("inf")
    return {
        "step": progress.step,
        "valid_bits_per_dim": progress.last if found else None,
        "best_step": progress.best_step,
        "pointillist": __version__,
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.date.today().isoformat(),
    }


def _take_best(model: PretrainedPixelModel, trainer: Trainer, config: TrainConfig) -> None:
    """Give the model, on every process, the weights a user should have: those in the run's folder."""
    trainer.average.copy_to_model()
    if config.out is not None and trainer.accelerator.is_main_process:
        best = load(config.out)
        model.load_state_dict(best.state_dict())
        model.training_record, model.card = best.training_record, best.card
    # training laid the weights out for speed; as loaded from disk, sums round alike
    model.to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(broadcast(parameter.detach().clone()))


def training_card(model: PretrainedPixelModel, images: ImageDataset, training: dict[str, Any]) -> str:
    """The model card of a trained model."""
    bits = training["valid_bits_per_dim"]
    lines = [
        "## Training",
        "",
        "| | |",
        "|---|---|",
        f"| images | {len(images):,} of {images.name} |",
        *(f"| | {note} |" for note in images.notes),
        f"| step | {training['step']:,} |",
        f"| validation | {'none' if bits is None else f'{bits:.4f} bits/dim'} |",
        f"| date | {training['date']}, {training['machine']} |",
        f"| made with | pointillist {training['pointillist']}, torch {training['torch']} |",
        "",
        "The resolved settings are in `config.json` under `training`.",
    ]
    return default_card(model) + "\n" + "\n".join(lines) + "\n"
