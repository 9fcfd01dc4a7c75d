"""The options of `train` that are settings of a run: a flag and a dotted key each.

Type, default and description of an option are those of the field at its key.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from pointillist.cli.config_fields import ConfigField, config_field

FLAG = " "  # a flag has no value to name
IMAGES, MODEL, TRAINING, MACHINE = "Images", "Model", "Training", "Machine"


@dataclass(frozen=True)
class Setting:
    """An option of the command line for a setting of a run file.

    Attributes:
        flags: as typed, for example `--lr`, or `--labels/--no-labels`.
        key: dotted key in a run file.
        panel: heading of the help page.
        metavar: name of the value on the help page.
        negated: True if the flag sets the setting to False.
        description: help of a negated flag, whose field is described the other way round.
    """

    flags: str
    key: str
    panel: str
    metavar: str = FLAG
    negated: bool = False
    description: str | None = None

    @property
    def name(self) -> str:
        """Name of the parameter in Python."""
        return self.flags.split("/")[0].strip("-").replace("-", "_")

    @property
    def field(self) -> ConfigField:
        """The field of the config class."""
        return config_field(self.key)

    @property
    def help(self) -> str:
        """Description and default of the field."""
        default = self.field.default
        text = self.description or self.field.description
        if default is None or default == () or isinstance(default, bool):
            return text
        shown = (
            ",".join(default)
            if isinstance(default, tuple)
            else f"{default:g}"
            if isinstance(default, float)
            else default
        )
        return f"{text} Default: {shown}."

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter as typer reads it from a signature."""
        # brackets are markup on the help page
        help_text = self.help.replace("[", "(").replace("]", ")")
        option = typer.Option(
            self.flags, help=help_text, rich_help_panel=self.panel, metavar=self.metavar, show_default=False
        )
        annotation = Annotated[self.field.type | None, option]  # type: ignore[name-defined]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)

    def value(self, typed: Any) -> Any:
        """Convert a typed value to that of the setting."""
        from pointillist.files.settings_tree import parse_value

        if isinstance(typed, StrEnum):
            return str(typed)
        if self.field.is_union:
            return parse_value(typed)
        return not typed if self.negated else typed


SETTINGS = (
    Setting("--size", "data.size", IMAGES, "SIZE"),
    Setting("--resize-mode", "data.resize_mode", IMAGES, "HOW"),
    Setting("--mode", "data.mode", IMAGES, "KIND"),
    Setting("--palette", "data.palette", IMAGES, "N|FILE"),
    Setting("--levels", "data.levels", IMAGES, "N"),
    Setting(
        "--categorical-levels",
        "data.ordered",
        IMAGES,
        negated=True,
        description="Treat levels as categories (tiles, codes) without an order.",
    ),
    Setting("--binarise", "data.binarise", IMAGES, "HOW"),
    Setting("--flip", "train.augmentation.flip", IMAGES),
    Setting("--random-shift", "train.augmentation.random_shift", IMAGES, "N"),
    Setting("--labels/--no-labels", "data.labels", IMAGES),
    Setting("--attribute-columns", "data.attribute_columns", IMAGES, "NAMES"),
    Setting("--vector-column", "data.vector_column", IMAGES, "NAME"),
    Setting("--hint-column", "data.hint_column", IMAGES, "DIR|NAME"),
    Setting("--caption-column", "data.caption_column", IMAGES, "NAMES"),
    Setting("--level-names", "data.level_names", IMAGES, "FILE|NAMES"),
    Setting("--tileset", "data.tileset", IMAGES, "FILE"),
    Setting("--tile-size", "data.tile_size", IMAGES, "SIZE"),
    Setting("--npz-key", "data.npz_key", IMAGES, "NAME"),
    Setting("--skip-bad", "data.skip_bad", IMAGES),
    Setting("--model", "model.type", MODEL, "NAME"),
    Setting("--preset", "model.preset", MODEL, "NAME"),
    Setting("--likelihood", "model.likelihood", MODEL, "NAME"),
    Setting("--mixtures", "model.mixtures", MODEL, "N"),
    Setting("--position-channels", "model.position_channels", MODEL, "N"),
    Setting("--text-encoder", "model.conditions.text.encoder", MODEL, "NAME"),
    Setting("--hint-rule", "model.conditions.hint.rule", MODEL, "RULE"),
    Setting("--completion", "model.conditions.known.completion", MODEL),
    Setting("--orders", "model.orders", MODEL, "NAMES"),
    Setting("--init-from", "model.init_from", MODEL, "MODEL"),
    Setting("--epochs", "train.epochs", TRAINING, "X"),
    Setting("--steps", "train.steps", TRAINING, "N"),
    Setting("--batch-size", "train.batch_size", TRAINING, "N|auto"),
    Setting("--grad-accumulation", "train.grad_accumulation", TRAINING, "N"),
    Setting("--quantization-aware", "train.quantization_aware", TRAINING),
    Setting("--lr", "train.optimizer.lr", TRAINING, "X"),
    Setting("--seed", "train.seed", TRAINING, "N"),
    Setting("--precision", "train.machine.precision", MACHINE, "NAME"),
    Setting("--device", "train.machine.device", MACHINE, "NAME"),
    Setting("--threads", "train.machine.threads", MACHINE, "N"),
    Setting("--compile", "train.machine.compile", MACHINE),
    Setting("--tensorboard", "train.machine.tensorboard", MACHINE),
)


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every option of `SETTINGS` to a command, which gets them as keywords: None where not typed."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]  # the last is **options
    command.__signature__ = inspect.Signature([*own, *(s.parameter for s in SETTINGS)])  # type: ignore[attr-defined]
    return command


def overrides(source: str | None, sets: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the settings on a command line by dotted key; `--set` overrides the other options.

    Args:
        source: the argument DATA.
        sets: values of `--set`.
        options: values of `SETTINGS` by parameter name.
    """
    from pointillist.files.settings_tree import parse_assignment

    typed = {} if source is None else {"data.source": source}
    for setting in SETTINGS:
        value = options.get(setting.name)
        if value is not None:
            typed[setting.key] = setting.value(value)
    return {**typed, **dict(map(parse_assignment, sets))}
