"""Training runs from settings: read the images, build or fine-tune the model, make the run folder, train or resume."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pointillist.conditioning import ConditionConfig, condition_kinds
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.errors import ConfigError, DataError, quote
from pointillist.files.arrays import read_config
from pointillist.files.settings_tree import Tree, expand, read_toml
from pointillist.images import ImageSpec
from pointillist.images.visualization import image_grid, save_png
from pointillist.model.finetune import initialise_from
from pointillist.model.folder.building import build
from pointillist.model.folder.settings import ModelSettings
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.request import Request
from pointillist.system import is_main_process
from pointillist.training.api import TrainResult, train
from pointillist.training.config import TrainConfig
from pointillist.training.integers import quantization_aware
from pointillist.training.runs.config import RunConfig, new_run, overlay, resumed_run
from pointillist.training.setup import prepare
from pointillist.training.state import check_new_folder, run_folder
from pointillist.training.trainer import Trainer

MIN_STEPS, MIN_SECONDS = 5, 5.0
"""Steps, and seconds of steps, that an estimate of the cost takes at least."""


def train_from_config(
    config: Path | str | Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
    **overrides: Any,
) -> TrainResult:
    """Train a model as a run config describes: what the command `pointillist train` does.

    Reads the images, builds the model or fine-tunes one, and trains it. The folder `train.out` (by default
    `runs/DATA-MODEL`) gets the best model, sample sheets, metrics, checkpoints, and all settings in `run.toml`.

    ```python
    pt.train_from_config("run.toml")
    pt.train_from_config("run.toml", train={"out": "runs/b", "optimizer.lr": 1e-3})
    pt.train_from_config(data={"source": "uci-digits"}, train={"steps": 100, "out": "runs/digits"})
    pt.train_from_config(resume=True, train={"out": "runs/digits"})
    ```

    Args:
        config: TOML file with the tables `[model]`, `[data]` and `[train]`, or a dictionary of them.
        resume: continue the run in `train.out`, exactly as if it had not been interrupted.
        console: where progress is shown; None is silent.
        overrides: `model`, `data` and `train`, dictionaries with nested groups or dotted keys; they override `config`.

    Raises:
        ConfigError: if a setting is wrong, or would make a resumed run another run.
        DataError: if the images cannot be read, or do not fit the model.
        CheckpointError: if the model to fine-tune cannot be loaded.
        TrainingError: if the loss is not finite or diverges, or there is nothing to resume.
        Interrupted: after Ctrl-C, with the state saved.
    """
    return prepare_run(config, overrides, resume=resume).train(console)


def write_sample_sheet(model: PixelModel, folder: Path, step: int) -> None:
    """Write a sheet of samples to `folder/step-N.png`: two of each of the first eight classes, or sixteen."""
    if not model.image.is_displayable and model.tileset is None:
        return  # unordered codes are not displayable
    classes = list(model.config.classes)[:8]
    labels = [name for name in classes for _ in range(2)] or None
    samples = Request.of(len(labels) if labels else 16, labels, seed=0).resolve(model).sample()
    save_png(image_grid(samples.drawn(), captions=labels), folder / f"step-{step:07d}.png")


@dataclass(frozen=True)
class PreparedRun:
    """A run with all settings resolved, before its images are read.

    Attributes:
        config: settings of the run.
        source: model that fine-tuning starts from.
        resume: continue the run in its folder.
        out: folder of the run.
    """

    config: RunConfig
    source: PixelModel | None
    resume: bool

    @property
    def out(self) -> Path:
        """Folder of the run."""
        assert self.config.train.out is not None
        return self.config.train.out

    def train(self, console: Console | None = None) -> TrainResult:
        """Train the model; see `train_from_config`."""
        if not self.resume:
            check_new_folder(self.out)
        splits = read_splits(self)
        model, notes = build_model(self.config, splits, self.source)
        run = _with_network(self.config, model)
        if console is not None and is_main_process():
            for note in notes:
                console.print(f"init       {note}")
        text = run.to_toml(f"pointillist train --config {self.out}/run.toml --out ANOTHER")
        record = run.to_dict()
        del record["train"]["out"]  # since the model may be moved
        with run_folder(self.out, self.resume, text):
            sheet, resume = write_sample_sheet, self.resume
            return train(model, splits, run.train, resume=resume, console=console, record=record, write_samples=sheet)

    def estimate_cost(self, console: Console | None = None) -> list[str]:
        """Return lines on the cost of the run, estimated from its first steps; nothing is written."""
        splits = read_splits(self)
        model, _ = build_model(self.config, splits, self.source)
        return _estimate_cost(model, splits, self.config.train, console)


def prepare_run(config: Path | str | Mapping[str, Any] | None, overrides: Tree, *, resume: bool = False) -> PreparedRun:
    """Resolve the settings of a run: defaults < source model < preset < `config` < `overrides`.

    Args:
        config, resume: as for `train_from_config`.
        overrides: settings with nested tables or dotted keys, such as `{"train.optimizer.lr": 1e-3}`.

    Raises:
        ConfigError, CheckpointError, TrainingError: as `train_from_config`.
    """
    changes = _expanded(overrides)
    length = changes.get("train")
    if isinstance(length, Mapping) and None not in (length.get("epochs"), length.get("steps")):
        raise ConfigError(
            f"`epochs` (={length['epochs']}) changes nothing with `steps` (={length['steps']}): leave out one of them."
        )
    if resume:
        if config is not None:
            raise ConfigError(
                f"`config` (={config}) cannot be used with `resume`, which reads the run.toml of the run: leave it out."
            )
        train_changes = changes.get("train")
        out = train_changes.pop("out", None) if isinstance(train_changes, dict) else None
        if out is None:
            raise ConfigError("`resume` needs the folder of the run: give `out`.")
        run, source = resumed_run(Path(out), changes), None
    else:
        tree = read_toml(Path(config)) if isinstance(config, (str, Path)) else _expanded(config or {})
        run, source = new_run(overlay(tree, changes))
    if run.data.source is None:
        raise ConfigError("DATA is missing: give a folder, a file or a name, or `data.source` in a settings file.")
    return PreparedRun(_with_folder(run), source, resume)


def _expanded(settings: Mapping[str, Any]) -> Tree:
    """Expand dotted keys of a whole run (`train.optimizer.lr`) and of each section (`optimizer.lr`)."""
    return {name: expand(part) if isinstance(part, Mapping) else part for name, part in expand(settings).items()}


def _with_folder(run: RunConfig) -> RunConfig:
    """Name the folder of a run after its images and its model, unless it has one."""
    if run.train.out is not None:
        return run
    stem = Path(str(run.data.source).replace(":", "-")).stem or "images"
    folder = Path("runs") / f"{stem}-{run.model.type}"
    return run.model_copy(update={"train": run.train.updated(out=folder)})


def read_splits(run: PreparedRun) -> DataSplits:
    """Read the images of a run. For fine-tuning they are read as the source's kind, unless another kind is set.

    Labels that are numbers have the class names of `[model.conditions.label]`, if it gives any.

    Raises:
        DataError: if the images cannot be read, or there are none to train on, or a label is not one of the classes.
    """
    data, options = run.config.data, run.config.data.options
    spec = None
    kind = (options.mode != "auto", options.palette, options.levels, options.ordered)
    if run.config.model.init_from is not None and not any(value not in (None, False) for value in kind):
        if run.source is not None:
            spec = run.source.image
        elif run.resume:  # the source may be gone; the run's own model has its kind
            spec = ImageSpec(**read_config(run.out / "last")["image"])
    classes = getattr(run.config.model.conditions.get("label"), "classes", ())
    splits = load_data(str(data.source), options, spec=spec, classes=classes)
    if splits.train is None:
        raise DataError(f"{data.source} has no training part: it has {', '.join(splits.names)} only.")
    return splits


def build_model(run: RunConfig, splits: DataSplits, source: PixelModel | None) -> tuple[PixelModel, list[str]]:
    """Build the model of a run, with the weights of `source` where it is fine-tuned.

    Returns:
        The model, and notes on the weights that were copied.
    """
    images, section = splits.get("train"), run.model
    torch.manual_seed(run.train.seed)
    model = build(
        section.type,
        shape=images.spec,
        preset=section.preset,
        conditions=infer_conditions(section.conditions, images, source),
        **{name: getattr(section, name) for name in ModelSettings.model_fields if name != "conditions"},
        **section.network,
    )
    usual = ModelSettings.model_fields["mixtures"].default
    if section.mixtures not in (None, usual) and not LIKELIHOODS[model.likelihood_name].has_mixtures:
        raise ConfigError(
            f"`mixtures` (={section.mixtures}) is the number of components of a mixture, and the likelihood of these "
            f"images is {model.likelihood_name}: leave it out, or set `likelihood` to 'mixture'."
        )
    notes = [] if source is None else initialise_from(model, source)
    return model, notes


def _with_network(run: RunConfig, model: PixelModel) -> RunConfig:
    """Write out the network and the likelihood, so that a later change of a preset or of `auto` changes no run."""
    network = {k: v for k, v in model.config.backbone.model_dump(mode="json").items() if v is not None}
    changes = {"network": network, "likelihood": model.likelihood.name}
    return run.model_copy(update={"model": run.model.model_copy(update=changes)})


def infer_conditions(
    settings: Mapping[str, ConditionConfig], data: ImageDataset, source: PixelModel | None
) -> dict[str, ConditionConfig]:
    """Complete the settings of each kind of condition from the training images.

    A condition of the source that the data lack is kept.

    Args:
        settings: by kind, as in `[model.conditions]`; a kind that is left out takes its defaults.
        data: the training images.
        source: model that fine-tuning starts from.

    Raises:
        ConfigError: if settings do not fit the data.
    """
    known = {} if source is None else source.config.conditions
    result: dict[str, ConditionConfig | None] = {}
    for kind, config in condition_kinds().items():
        if kind in settings or kind in known or source is None or config.added_by_finetuning:
            result[kind] = config.infer(settings.get(kind, known.get(kind)), data)
    completed = {kind: complete for kind, complete in result.items() if complete is not None}
    for kind in settings.keys() & completed:
        _check_unchanged(settings[kind], completed[kind])
    return completed


def _check_unchanged(settings: ConditionConfig, complete: ConditionConfig) -> None:
    """Check that the training images have what a settings file says of them.

    Raises:
        ConfigError: if they do not.
    """
    for name in sorted(settings.model_fields_set):
        value, theirs = getattr(settings, name), getattr(complete, name)
        if value and value != theirs:
            raise ConfigError(
                f"`model.conditions.{settings.kind}.{name}` (={quote(value)}) does not fit the images, which have "
                f"{quote(theirs)}: correct it, or leave it out."
            )


def _estimate_cost(model: PixelModel, data: DataSplits, config: TrainConfig, console: Console | None) -> list[str]:
    """Take the first steps of a run, and return lines on its speed and its time. Nothing is written.

    Args:
        model, data, config, console: as for `train`; the model is trained.

    Raises:
        ConfigError, DataError: as `train`.
    """
    config = config.updated(out=None, machine={"tensorboard": False})
    splits, accelerator, config = prepare(model, data, config, console)
    images = splits.get("train")
    trainer = Trainer(
        model, images, None, config, accelerator, console=None, save_model=lambda *_: None, write_samples=None
    )
    try:
        quiet = console is None or not accelerator.is_main_process
        status = nullcontext() if quiet or console is None else console.status("trying the first steps")
        with status, quantization_aware(model, config):
            trainer.begin()
            first, seconds = _time_steps(trainer)
    finally:
        trainer.release()
        accelerator.end_training()
    size, total = config.batch_size, trainer.total
    whole = format_duration(first + (total - 1) * seconds)
    return [
        f"speed      {size / seconds:,.1f} images/s; the first step takes {first:.1f} s",
        f"time       {whole} for {total * size:,} images, without validation and sample sheets",
    ]


def format_duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _time_steps(trainer: Trainer) -> tuple[float, float]:
    """Measure the seconds of the first step, and the median of the steps after it."""
    seconds: list[float] = []
    # the second step may still choose kernels and make the moments of the optimiser
    while trainer.progress.step < trainer.total and (len(seconds) < MIN_STEPS or sum(seconds[2:]) < MIN_SECONDS):
        started = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[0], statistics.median(seconds[2:] or seconds)
