"""`train`: a model trained on images; `quantize`: its integer program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.paths import reject_filled
from pointillist.commands.report import Facts, console, note
from pointillist.commands.run_options import RunOption
from pointillist.commands.settings import FLAG, JSON, MODEL, REQUIRED, SETS, Settings, argument, option, sampling_option
from pointillist.errors import ConfigError, counted, without_effect

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel
    from pointillist.training import TrainResult
    from pointillist.training.runs.from_config import PreparedRun


_IMAGES, _MODEL, _TRAINING, _MACHINE = "Images", "Model", "Training", "Machine"
RUN_OPTIONS = (
    RunOption("--size", "data.size", _IMAGES, "SIZE"),
    RunOption("--window", "data.window", _IMAGES, "SIZE"),
    RunOption("--resize-mode", "data.resize_mode", _IMAGES, "HOW", needs=("data.size", "data.window")),
    RunOption("--mode", "data.mode", _IMAGES, "KIND"),
    RunOption("--palette", "data.palette", _IMAGES, "N|FILE"),
    RunOption("--levels", "data.levels", _IMAGES, "N"),
    RunOption(
        "--categorical-levels",
        "data.ordered",
        _IMAGES,
        turns_off=True,
        help="Treat levels as categories (tiles, codes) without an order.",
    ),
    RunOption("--binarise", "data.binarise", _IMAGES, "HOW"),
    RunOption("--flip", "train.augmentation.flip", _IMAGES),
    RunOption("--random-shift", "train.augmentation.random_shift", _IMAGES, "N"),
    RunOption("--labels/--no-labels", "data.labels", _IMAGES),
    RunOption("--attribute-columns", "data.attribute_columns", _IMAGES, "NAMES"),
    RunOption("--vector-column", "data.vector_column", _IMAGES, "NAME"),
    RunOption("--hint-column", "data.hint_column", _IMAGES, "DIR|NAME"),
    RunOption("--caption-column", "data.caption_column", _IMAGES, "NAMES"),
    RunOption("--level-names", "data.level_names", _IMAGES, "FILE|NAMES"),
    RunOption("--tileset", "data.tileset", _IMAGES, "FILE"),
    RunOption("--tile-size", "data.tile_size", _IMAGES, "SIZE", needs=("data.tileset",)),
    RunOption("--npz-key", "data.npz_key", _IMAGES, "NAME"),
    RunOption("--skip-bad", "data.skip_bad", _IMAGES),
    RunOption("--model", "model.type", _MODEL, "NAME"),
    RunOption("--preset", "model.preset", _MODEL, "NAME"),
    RunOption("--likelihood", "model.likelihood", _MODEL, "NAME"),
    RunOption("--mixtures", "model.mixtures", _MODEL, "N"),
    RunOption("--position-channels", "model.position_channels", _MODEL, "N"),
    RunOption("--text-encoder", "model.conditions.text.encoder", _MODEL, "NAME"),
    RunOption("--hint-rule", "model.conditions.hint.rule", _MODEL, "RULE"),
    RunOption("--completion", "model.conditions.known.completion", _MODEL),
    RunOption("--orders", "model.orders", _MODEL, "NAMES"),
    RunOption("--init-from", "model.init_from", _MODEL, "MODEL"),
    RunOption("--epochs", "train.epochs", _TRAINING, "X"),
    RunOption("--steps", "train.steps", _TRAINING, "N"),
    RunOption("--batch-size", "train.batch_size", _TRAINING, "N"),
    RunOption("--grad-accumulation", "train.grad_accumulation", _TRAINING, "N"),
    RunOption("--quantization-aware", "train.quantization_aware", _TRAINING),
    RunOption("--lr", "train.optimizer.lr", _TRAINING, "X"),
    RunOption("--seed", "train.seed", _TRAINING, "N"),
    RunOption("--precision", "train.machine.precision", _MACHINE, "NAME"),
    RunOption("--device", "train.machine.device", _MACHINE, "NAME"),
    RunOption("--threads", "train.machine.threads", _MACHINE, "N"),
    RunOption("--compile", "train.machine.compile", _MACHINE),
    RunOption("--tensorboard", "train.machine.tensorboard", _MACHINE),
)
"""Options of `train` that are settings of a run file; each of the others is under `--set`."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Settings of `train`.

    Attributes:
        run: settings of the run file that were typed, by dotted key.
    """

    data: str | None = argument(
        "DATA",
        "A folder of images or maps, .npz, .npy, .parquet, hf:USER/NAME, or uci-digits, mnist, fashion-mnist, "
        "cifar10; FILE.py:NAME is a function that draws images, and the file is run.",
        None,
    )
    out: Path | None = option(None, "DIR", "Folder of the run and its model. Default: runs/DATA-MODEL.")
    config: Path | None = option(None, "FILE", "Settings in TOML; options override them.")
    set: tuple[str, ...] = option((), "KEY=VALUE", "Any setting, such as train.optimizer.ema=0.99; repeatable.")
    resume: bool = option(False, FLAG, "Continue the run in --out, exactly.")
    dry_run: bool = option(False, FLAG, "Try the first steps; estimate images/s and hours.")
    studio: bool = option(False, FLAG, "Watch the run on a local page, which ends with the training.")
    run: Mapping[str, Any] = field(default_factory=dict, metadata={"run": RUN_OPTIONS})

    def overrides(self) -> dict[str, Any]:
        """Collect the settings of the run by dotted key: the data, the options, and `set`, which overrides them."""
        from pointillist.files.settings_tree import parse_assignment

        source = {} if self.data is None else {"data.source": self.data}
        out = {} if self.out is None else {"train.out": str(self.out)}
        return {**source, **self.run, **dict(map(parse_assignment, self.set)), **out}


@dataclass(frozen=True, kw_only=True)
class QuantizeSettings(Settings):
    """Settings of `quantize`."""

    model: str = MODEL.field()
    data: str = argument("DATA", "Training images, as for train; a few are enough.")
    out: Path = option(REQUIRED, "DIR", "Folder for the model with its integer program.", flags=("--out", "-o"))
    images: int = option(64, "N", "Number of images for the calibration.", low=1)
    set: tuple[str, ...] = SETS.field(())
    force: bool = option(False, FLAG, "Replace an existing model.")
    as_json: bool = JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class DemoSettings(Settings):
    """Settings of `demo`."""

    out: Path = option(Path("demo"), "DIR", "Folder for the page, the images and the model.", flags=("--out", "-o"))
    seed: int = option(0, "N", "Seed of weights, batches and samples.", low=0)
    steps: int | None = option(None, "N", "Training steps; by default enough for a good model.", low=1)
    threads: Any = sampling_option(1, "N", "CPU threads; 0 measures whether one or all are faster.", low=0)


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
    from pointillist.system import is_main_process
    from pointillist.training.runs.from_config import prepare_run

    _check(settings)
    run = prepare_run(settings.config, settings.overrides(), resume=settings.resume)
    _reject_without_effect(settings, run.config.to_dict())
    is_main = is_main_process()
    if is_main:
        _note_overridden(settings)
    if settings.dry_run:
        estimate = run.estimate_cost(console() if is_main else None)
        return estimate if is_main else []
    result = _run(run, watch if settings.studio and is_main else None, is_main=is_main)
    return _lines(run.out, result) if is_main else []


def _reject_without_effect(settings: TrainSettings, run: Mapping[str, Any]) -> None:
    """Reject options of the command line whose effect needs a setting that the run does not have."""
    flags = {option.key: option.flags for option in RUN_OPTIONS}

    def value(key: str) -> Any:
        section, _, name = key.partition(".")
        return run.get(section, {}).get(name)

    for run_option in RUN_OPTIONS:
        typed = settings.run.get(run_option.key)
        if (
            run_option.needs
            and typed not in (None, "require")
            and all(value(key) in (None, "none") for key in run_option.needs)
        ):
            raise without_effect(run_option.flags, typed, [flags[key] for key in run_option.needs])


def _note_overridden(settings: TrainSettings) -> None:
    """Say which options `--set` overrides."""
    from pointillist.files.settings_tree import parse_assignment

    flags = {each.key: each.flags for each in RUN_OPTIONS}
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


def quantize(settings: QuantizeSettings) -> Facts:
    """Save a model with its integer program, which is calibrated on images.

    Raises:
        PointillistError: naming what is wrong with a setting, the model or the images.
    """
    from pointillist.files.writing import folder_lock
    from pointillist.model.folder.opening import load_weights

    out = settings.out
    reject_filled(out, settings.force, "the model in it")
    model = load_weights(settings.model)
    add_integer_program(model, settings.data, settings.images, settings.set)
    with folder_lock(out):
        reject_filled(out, settings.force, "the model in it")  # by a command that ended meanwhile
        model.save_pretrained(out)
    assert model.integer_cost is not None
    fingerprint = model.integer_model().fingerprint
    return {"out": str(out), "fingerprint": fingerprint, "integers_cost": model.integer_cost.bits_per_dim}


def add_integer_program(model: PixelModel, data: str, images: int, sets: Sequence[str]) -> None:
    """Make the integer model of a model, calibrated on images that are read as the model's own, and measure its cost.

    It becomes the default whatever it costs: it was requested.
    """
    from pointillist.model.folder.image_sources import read_splits, resolve_data_options
    from pointillist.model.quantize_integer import quantize_integer
    from pointillist.training.integers import measure_cost

    splits = read_splits(model, data, resolve_data_options(model, data, sets, labels=True))
    quantize_integer(model, splits, images=images)
    model.integer_cost = measure_cost(model, splits, is_default=True)
