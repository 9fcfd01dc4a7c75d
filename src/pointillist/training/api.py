"""`train`: from a model and images to a folder that can be loaded and resumed."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pointillist.analysis.evaluation.memorization import LosslessSize, copied_windows, lossless_size
from pointillist.conditioning import TextConfig
from pointillist.data import DataSplits, ImageDataset
from pointillist.errors import CheckpointError, ConfigError, TrainingError, counted, flag, quote
from pointillist.files.settings_tree import Tree
from pointillist.files.suggestions import arguments, checked_keywords
from pointillist.files.tensors import check_values
from pointillist.model.folder.files import default_card
from pointillist.model.folder.opening import load_weights
from pointillist.model.pixel_model import PixelModel
from pointillist.model.training_record import TrainingRecord, Vocabulary, bits_text
from pointillist.sampling.api import sample
from pointillist.sampling.rules.adjacency import pairs_of_images, pairs_to_record, stores_pairs
from pointillist.system import __version__
from pointillist.training.config import TrainConfig
from pointillist.training.integers import SampleWriter, TrainedIntegers, add_integer_program, quantization_aware
from pointillist.training.logging import training_summary
from pointillist.training.setup import prepare
from pointillist.training.state import TrainerState, run_folder
from pointillist.training.trainer import Trainer

SAMPLED = 16
"""Samples that are compared with a picture that a model learned windows of."""
MORE_COPIES = 1.2
"""Share of copied windows, over the share of a held-out strip, from which samples are said to copy."""


@dataclass(frozen=True)
class TrainResult:
    """The result of a run.

    ```python
    result = pt.train(model, digits, {"steps": 50, "out": "runs/digits"})
    result.valid_bits_per_dim, result.folder
    ```

    Attributes:
        model: the model in evaluation mode, with the averaged weights that are best on validation images, or the last
            weights without such images.
        steps: optimiser steps done.
        valid_bits_per_dim: lowest validation bits/dim; infinite without validation images.
        folder: folder of the run, or None.
        integers_cost: bits/dim of the integer program of the model, less those in floating point; None if there is no
            program.
        why_floats: why the model samples and scores in floating point by default; empty if its integer program does.
        lossless: size of the validation images in a lossless codec; None without such images.
        advice: what to make of the result and what to try next, one line each.
    """

    model: PixelModel
    steps: int
    valid_bits_per_dim: float
    folder: Path | None
    integers_cost: float | None = None
    why_floats: str = ""
    lossless: LosslessSize | None = None
    advice: tuple[str, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        where = "" if self.folder is None else f", {self.folder}"
        without = self.valid_bits_per_dim == float("inf")
        valid = "no validation images" if without else f"validation {self.valid_bits_per_dim:.4f} bits/dim"
        cost = self.integers_cost
        integers = "no integer program" if cost is None else f"integers cost {bits_text(cost)}"
        return f"TrainResult({counted(self.steps, 'step')}, {valid}, {integers}{where})"


@checked_keywords
@arguments(resume=flag)
def train(
    model: PixelModel,
    data: Any,
    config: TrainConfig | Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
    record: Tree | None = None,
    write_samples: SampleWriter | None = None,
) -> TrainResult:
    """Train a model on images by maximum likelihood.

    ```python
    digits = pt.load_data("uci-digits")
    model = pt.build("gated-pixelcnn", shape=digits.train.spec, classes=digits.train.classes, preset="tiny")
    pt.train(model, digits, {"steps": 50, "batch_size": 32, "optimizer.lr": 1e-3})
    ```

    Args:
        model: from `build` or `load`; it is trained in place.
        data: a data set, splits of a data set, or any source of `load_data`.
        config: settings, or a dictionary for `TrainConfig.from_dict`.
        resume: continue from the newest checkpoint in `config.out`, exactly as if the run had not been interrupted.
        console: where progress is shown; None shows a bar on stderr, on a terminal or in a notebook.
        record: settings of the whole run, stored with the model; by default the settings of the training.
        write_samples: function that writes a sample sheet, called at `config.intervals.sample`.

    Raises:
        ConfigError, DataError: if settings, images and model do not fit together, or a step would not fit in memory.
        EngineError: if the settings ask for `quantization_aware`, and the model has no integer form.
        TrainingError: if the loss is not finite or diverges, or there is nothing to resume.
        Interrupted: after Ctrl-C, with the state saved.
    """
    if not hasattr(model, "state_dict"):
        raise ConfigError(
            f"`model` (={quote(model)}) has no weights to train in place: give a model, from `pt.build(...)` or "
            "`pt.load(name)`."
        )
    config = TrainConfig.of(config)
    if resume and config.out is None:
        raise ConfigError("`resume` needs `out`, the folder of the run to continue.")
    splits, accelerator, config = prepare(model, data, config, console)
    images, screen = splits.get("train"), console if accelerator.is_main_process else None
    model.tileset = model.tileset or images.tileset
    with run_folder(config.out, resume):
        begun = _record(model, images, record or {"train": config.model_dump(mode="json")})

        def save(folder: Path, progress: TrainerState) -> None:
            model.training_record = begun.model_copy(update=_outcome(progress))
            model.card = training_card(model, images, model.training_record, config)
            _check_weights(model, config)
            model.save_pretrained(folder)

        trainer = Trainer(
            model,
            images,
            splits.valid,
            config,
            accelerator,
            console=console,
            save_model=save,
            write_samples=write_samples,
        )
        if resume:
            _resume(trainer, screen)
        try:
            with quantization_aware(model, config):
                progress = trainer.run()
            _load_best(model, trainer, config)
            _check_weights(model, config)
            integers = add_integer_program(model, splits, accelerator)
        finally:
            trainer.release()
            accelerator.end_training()
        if config.out is not None and accelerator.is_main_process:
            model.save_pretrained(config.out)
        if screen is not None:
            screen.print(f"integers   {integers}", highlight=False)
        return _result(model.eval(), splits, config, progress, integers)


def _check_weights(model: PixelModel, config: TrainConfig) -> None:
    """Check that the weights are numbers that a model folder may hold.

    Raises:
        TrainingError: naming the learning rate, by which they grew.
    """
    try:
        check_values(model.state_dict(), Path("The model"))
    except CheckpointError as error:
        lr = config.optimizer.lr
        raise TrainingError(
            f"The weights have grown beyond what a model may hold: `optimizer.lr` (={lr:g}) is too large, try "
            f"{min(lr / 10, 2e-3):g}."
        ) from error


def _record(model: PixelModel, images: ImageDataset, settings: Tree) -> TrainingRecord:
    """Collect what is known of the training before it begins."""
    record = TrainingRecord(record=settings, notes=list(images.notes))
    if images.texts is not None and model.config.condition(TextConfig) is not None:
        record.captions = Vocabulary.of_captions(images.texts)
    if stores_pairs(images.spec):
        record.adjacency = pairs_to_record(pairs_of_images(images))
    return record


def _resume(trainer: Trainer, screen: Console | None) -> None:
    """Load the newest checkpoint, and show which one."""
    damaged = trainer.resume()
    if screen is not None:
        for line in damaged:
            screen.print(f"warning    a newer checkpoint is left out: {line}", highlight=False)
        screen.print(f"resumed at step {trainer.progress.step:,} of {trainer.total:,}", highlight=False)


def _result(
    model: PixelModel, splits: DataSplits, config: TrainConfig, progress: TrainerState, integers: TrainedIntegers
) -> TrainResult:
    cost = None if integers.cost is None else integers.cost.bits_per_dim
    result = TrainResult(model, progress.step, progress.best, config.out, cost, integers.why_floats)
    if splits.valid is None:
        return result
    lossless = lossless_size(splits.valid)
    images = splits.get("train")
    advice = training_summary(model, images, progress.step, progress.best_step, progress.best, lossless)
    return replace(result, lossless=lossless, advice=(*advice, *_copies(model, images, splits.valid)))


def _copies(model: PixelModel, images: ImageDataset, valid: ImageDataset) -> list[str]:
    """Warn where samples of a model of windows copy the training picture more than its held-out strip does."""
    if not images.regions:
        return []
    samples = sample(model, SAMPLED, seed=0).levels
    shares = [copied_windows(x, images.regions) for x in (samples, valid.batch(np.arange(len(valid))).levels)]
    if shares[0] <= MORE_COPIES * shares[1] + 0.01:
        return []
    return [
        f"warning    {shares[0]:.0%} of the 16x16 windows of {SAMPLED} samples are copies of the training picture, "
        f"{shares[1]:.0%} of the held-out strip: train for fewer steps, or use a larger picture or `flip`"
    ]


def _outcome(progress: TrainerState) -> Tree:
    evaluated = progress.best < float("inf")
    return {
        "step": progress.step,
        "valid_bits_per_dim": progress.last if evaluated else None,
        "best_step": progress.best_step,
        "pointillist": __version__,
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "date": datetime.date.today().isoformat(),
    }


def _load_best(model: PixelModel, trainer: Trainer, config: TrainConfig) -> None:
    """Give the model, on every process, the best weights: those in the folder of the run."""
    trainer.average.copy_to_model()
    if config.out is not None and trainer.accelerator.is_main_process:
        best = load_weights(config.out)
        model.load_state_dict(best.state_dict())
        model.training_record, model.card = best.training_record, best.card
    # training uses channels_last; in the format of a loaded model, sums round the same way
    model.to(memory_format=torch.contiguous_format)
    trainer.average.synchronise()


def training_card(model: PixelModel, images: ImageDataset, training: TrainingRecord, config: TrainConfig) -> str:
    """Write the model card of a trained model: the default card, and a table of its training."""
    bits = training.valid_bits_per_dim
    rounded = ", rounded as in the integer program" if config.quantization_aware else ""
    lines = [
        "## Training",
        "",
        "| | |",
        "|---|---|",
        f"| images | {len(images):,} of {images.name} |",
        *(f"| | {note} |" for note in images.notes),
        f"| step | {training.step:,} |",
        f"| validation | {'none' if bits is None else f'{bits:.4f} bits/dim{rounded}'} |",
        f"| date | {training.date}, {training.platform} |",
        f"| made with | pointillist {training.pointillist}, torch {training.torch} |",
        "",
        "The resolved settings are in `config.json` under `training`.",
    ]
    return default_card(model.config, model.likelihood.name, model.num_parameters()) + "\n" + "\n".join(lines) + "\n"
