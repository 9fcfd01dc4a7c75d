"""Settings of `train` and `quantize`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointillist.commands.run_options import RunOption
from pointillist.commands.settings import FLAG, JSON, MODEL, REQUIRED, Settings, argument, option

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
    RunOption("--batch-size", "train.batch_size", _TRAINING, "N|auto"),
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
        "cifar10 (mnist:FOLDER for local files).",
        None,
    )
    out: Path | None = option(None, "DIR", "Folder of the run and its model. Default: runs/DATA-MODEL.")
    config: Path | None = option(None, "FILE", "Settings in TOML; options override them.")
    set: tuple[str, ...] = option((), "KEY=VALUE", "Any setting, such as train.optimizer.ema=0.99; repeatable.")
    resume: bool = option(False, FLAG, "Continue the run in --out, exactly.")
    dry_run: bool = option(False, FLAG, "Try the first steps; estimate images/s, memory and hours.")
    studio: bool = option(False, FLAG, "Watch the run on a local page, which ends with the training.")
    stage: str | None = option(None, "NAME", "Stage of a hierarchy to train alone: tokenizer, codes or pixels.")
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
    out: Path = option(REQUIRED, "DIR", "Folder for the smaller model.", flags=("--out", "-o"))
    dtype: str | None = option(None, "KIND", "int8 (a quarter of the size) or bf16 (half). Default: int8.")
    integer: bool = option(
        False,
        FLAG,
        "Make the integer program of a model that has none, or make it again.",
        parameter="integer_model",
    )
    data: str | None = option(None, "DATA", "With --integer: training images, as for train; a few are enough.")
    images: int = option(64, "N", "With --integer: number of images for the calibration.", low=1, needs=("integer",))
    set: tuple[str, ...] = option((), "KEY=VALUE", "With --integer: how DATA is read; data.* only.", needs=("integer",))
    force: bool = option(False, FLAG, "Replace an existing model.")
    as_json: bool = JSON.field(False)
