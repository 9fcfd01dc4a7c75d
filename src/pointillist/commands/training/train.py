"""`train`: a model, or a hierarchy of models, trained on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.report import console, note
from pointillist.commands.settings import without_effect
from pointillist.commands.training.settings import RUN_OPTIONS, TrainSettings
from pointillist.errors import ConfigError, counted
from pointillist.files.settings_tree import parse_assignment

if TYPE_CHECKING:
    from pointillist.training import TrainResult
    from pointillist.training.runs.from_config import PreparedRun


class StoppedError(Exception):
    """The training was stopped; the message tells how it continues."""


Watch = Callable[[Path], AbstractContextManager[None]]
"""Opens a page that watches the run in a folder, for as long as a block lasts."""


def train(settings: TrainSettings, watch: Watch) -> list[str]:
    """Train, or estimate the cost; return the lines to print, which are none in the other processes of a run.

    Raises:
        StoppedError: after Ctrl-C.
        PointillistError: naming what is wrong with a setting or the images.
    """
    from pointillist.hierarchy.config import describes_hierarchy
    from pointillist.system import is_main_process
    from pointillist.training.runs.from_config import prepare_run

    overrides = settings.overrides()
    _check(settings)
    if describes_hierarchy(settings.config, overrides, settings.out, settings.resume):
        return _train_hierarchy(settings)
    if settings.stage is not None:
        raise ConfigError(
            f"`--stage` (={settings.stage!r}) is for hierarchies: add `--model hierarchy`, or leave it out."
        )
    run = prepare_run(settings.config, overrides, resume=settings.resume)
    _reject_without_effect(settings, run.config.to_dict())
    is_main = is_main_process()
    if is_main:
        _note_overridden(settings)
    if settings.dry_run:
        estimate = run.estimate_cost(console() if is_main else None)
        return [str(estimate)] if is_main else []
    result = _run(run, watch if settings.studio and is_main else None, is_main=is_main)
    return _lines(run.out, result) if is_main else []


def _reject_without_effect(settings: TrainSettings, run: Mapping[str, Any]) -> None:
    """Reject options of the command line whose effect needs a setting that the run does not have."""
    flags = {option.key: option.flags for option in RUN_OPTIONS}

    def value(key: str) -> Any:
        section, _, name = key.partition(".")
        return run.get(section, {}).get(name)

    for option in RUN_OPTIONS:
        typed = settings.run.get(option.key)
        if (
            option.needs
            and typed not in (None, "require")
            and all(value(key) in (None, "none") for key in option.needs)
        ):
            raise without_effect(option.flags, typed, [flags[key] for key in option.needs])


def _note_overridden(settings: TrainSettings) -> None:
    """Say which options `--set` overrides."""
    flags = {option.key: option.flags for option in RUN_OPTIONS}
    for key, value in map(parse_assignment, settings.set):
        typed = settings.run.get(key)
        if typed is not None and str(typed) != str(value):
            note(f"note       `--set {key}={value}` overrides `{flags[key]} {typed}`")


def _check(settings: TrainSettings) -> None:
    """Reject options that contradict each other."""
    if settings.resume and settings.dry_run:
        raise ConfigError("`--dry-run` estimates the cost of a new run: leave out `--resume`.")
    if settings.studio and settings.dry_run:
        raise ConfigError("`--studio` watches a run, and `--dry-run` makes none: leave out one of them.")
    if settings.resume and settings.out is None:
        raise ConfigError("`--resume` needs the folder of the run: add `--out DIR`.")
    if settings.resume and settings.config is not None:
        raise ConfigError(
            f"`--config` (={settings.config}) cannot be used with `--resume`, which reads run.toml: leave it out."
        )


def _run(run: PreparedRun, watch: Watch | None, *, is_main: bool) -> TrainResult:
    from pointillist.training import Interrupted

    try:
        with nullcontext() if watch is None else watch(run.out):
            return run.train(console() if is_main else None)
    except Interrupted:
        raise StoppedError(
            f"stopped; the state is saved. Continue with: pointillist train --resume --out {run.out}"
        ) from None
    except KeyboardInterrupt:
        if not (run.out / "state").exists():
            raise
        raise StoppedError(
            f"stopped at once. Continue from the last checkpoint with: pointillist train --resume --out {run.out}"
        ) from None


def _lines(out: Path, trained: TrainResult) -> list[str]:
    bits = trained.valid_bits_per_dim
    best = f", best validation {bits:.4f} bits/dim" if bits < float("inf") else ""
    labels = " -n 4 --label each" if trained.model.config.classes else ""
    prompt = ' --text "..."' if "text" in trained.model.config.conditions else ""
    return [
        f"done       {counted(trained.steps, 'step')}{best}",
        *trained.advice,
        f"model      {out}   (sheets: {out / 'samples'})",
        f"try        pointillist sample {out}{labels}{prompt}",
    ]


def _train_hierarchy(settings: TrainSettings) -> list[str]:
    """Train a hierarchy, or estimate the cost of its stages."""
    from pointillist.hierarchy.estimate import estimate_stages
    from pointillist.hierarchy.train import HierarchyTraining
    from pointillist.training import Interrupted
    from pointillist.training.estimate import format_duration

    if settings.studio:
        raise ConfigError("`--studio` watches the run of one model, and a hierarchy has several: leave it out.")
    stage = settings.stage
    training = HierarchyTraining.of(settings.config, settings.overrides(), resume=settings.resume)
    out = training.run.out
    if settings.dry_run:
        costs = dict(estimate_stages(training, stage))
        hours = sum(cost.hours for cost in costs.values())
        peak = max((cost.peak_bytes for cost in costs.values()), default=0)
        total = f"total      {format_duration(hours * 3600)}, {peak / 1e9:.2f} GB at most"
        return [*(f"stage      {name}\n{cost}" for name, cost in costs.items()), total]
    try:
        training.train(stage, console())
    except Interrupted:
        again = f"pointillist train --resume --out {out}{'' if stage is None else f' --stage {stage}'}"
        raise StoppedError(f"stopped; the state is saved. Continue with: {again}") from None
    left = [name for name in training.run.stages if not (out / name / "config.json").is_file()]
    if left:
        rest = f"next       pointillist train --resume --out {out}   ({', '.join(left)})"
    else:
        rest = f"try        pointillist sample {out}"
    return [f"model      {out}", rest]
