"""`train`: everything around the loop, from a model and images to a folder that can be loaded and resumed."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast
from rich.console import Console

from pointillist._version import __version__
from pointillist.data import ImageDataset
from pointillist.errors import ConfigError, TrainingError
from pointillist.model.batches import check_spec
from pointillist.model.pretrained import PretrainedPixelModel, default_card, load
from pointillist.training.config import TrainConfig
from pointillist.training.loop_state import TrainerState
from pointillist.training.plan import describe, prepare, splits_of
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
    splits = splits_of(data)
    images = splits.get("train")
    check_spec(model, images)
    accelerator, config, why = prepare(model, config)
    _check_folder(config, resume)
    if console is not None and accelerator.is_main_process:
        for line in describe(model, splits, config, why, accelerator):
            console.print(line, highlight=False)
    stamped = {"record": record or {"train": config.model_dump(mode="json")}, "notes": list(images.notes)}

    def save(folder: Path, progress: TrainerState) -> None:
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


def _check_folder(config: TrainConfig, resume: bool) -> None:
    out = config.out
    if out is None:
        if resume:
            raise ConfigError("`resume` needs `out`, the folder of the run to go on with.")
        return
    if not resume and (out / "state").exists():
        raise TrainingError(f"{out} already holds a run: add `--resume` to go on with it, or choose another `--out`.")
    out.mkdir(parents=True, exist_ok=True)


def _outcome(progress: TrainerState) -> dict[str, Any]:
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
