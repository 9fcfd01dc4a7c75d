"""The options of `train`: each is declared once, with the setting of the run file that it stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

FLAG = " "  # a flag has no value to name
IMAGES, MODEL, TRAINING, MACHINE = "Images", "Model", "Training", "Machine"


@dataclass(frozen=True)
class Setting:
    """An option of the command line for a setting of the run file.

    Attributes:
        flags: as typed, for example `--lr`, or `--flip/--no-flip`.
        key: dotted key in the run file.
        parses: the type of its value.
        default: what the run file has if nobody says anything, as shown in the help; tested to be true.
        raw: whether the text is a TOML value (a number or a word).
        negated: whether the flag says the opposite of the setting.
    """

    flags: str
    key: str
    parses: Any
    panel: str
    help: str
    default: str | None = None
    metavar: str | None = None
    raw: bool = False
    negated: bool = False

    @property
    def name(self) -> str:
        """Name of the parameter in Python."""
        return self.flags.split("/")[0].strip("-").replace("-", "_")

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter as typer reads it from a signature."""
        option = typer.Option(
            self.flags,
            help=f"{self.help}{'' if self.default is None else f' Default: {self.default}.'}",
            rich_help_panel=self.panel,
            metavar=self.metavar or FLAG,
            show_default=False,
        )
        annotation = Annotated[self.parses | None, option]  # type: ignore[name-defined]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _choice(name: str, *values: str) -> Any:
    return StrEnum(name, {v: v for v in values})


SETTINGS = (
    Setting("--size", "data.size", str, IMAGES, "Bring images to 32, or 48x64 (height x width).",
            metavar="SIZE"),
    Setting("--fit", "data.resize_mode", _choice("Fit", "crop", "stretch", "pad", "exact"), IMAGES,
            "How they get there: crop, stretch, pad; exact refuses.", "crop", metavar="HOW"),
    Setting("--mode", "data.mode", _choice("Mode", "auto", "grey", "rgb", "rgba", "palette", "codes"), IMAGES,
            "grey, rgb, rgba, palette, codes or auto.", "auto", metavar="KIND"),
    Setting("--palette", "data.palette", str, IMAGES, "Learn so many colours, or take a file (PNG, .gpl, .hex).",
            metavar="N|FILE", raw=True),
    Setting("--levels", "data.levels", int, IMAGES, "Values a sub-pixel can take, 2 to 256.", metavar="N"),
    Setting("--unordered", "data.ordered", bool, IMAGES, "Levels are names (tiles, codes), not quantities.",
            negated=True),
    Setting("--binarise", "data.binarise", _choice("Binarise", "none", "static", "dynamic"), IMAGES,
            "static (threshold), dynamic (drawn each epoch) or none.", "none", metavar="HOW"),
    Setting("--flip", "train.flip", bool, IMAGES, "Mirror half of the images."),
    Setting("--shift", "train.shift", int, IMAGES, "Move images by up to N pixels each way.", "0", metavar="N"),
    Setting("--labels/--no-labels", "data.labels", bool, IMAGES, "Read labels, and paint by them later. Default: yes."),
    Setting("--attributes", "data.attribute_columns", str, IMAGES, "Columns or members with categories, such as hair,eyes.",
            metavar="NAMES"),
    Setting("--vector-from", "data.vector_column", str, IMAGES, "Column or member with numbers for each image.",
            metavar="NAME"),
    Setting("--hint-from", "data.hint_column", str, IMAGES, "Images given beforehand: a folder of same names, a member.",
            metavar="DIR|NAME"),
    Setting("--text-from", "data.caption_column", str, IMAGES, "Columns or members with captions; filename, path.",
            metavar="NAMES"),
    Setting("--array", "data.npz_key", str, IMAGES, "Member of an .npz to read, or its stem.", metavar="NAME"),
    Setting("--skip-bad", "data.skip_bad", bool, IMAGES, "Skip and count files that cannot be read."),
    Setting("--model", "model.type", str, MODEL, "A name from `pointillist models`.", "gated-pixelcnn", metavar="NAME"),
    Setting("--preset", "model.preset", str, MODEL, "tiny, small, base, or a paper's (see `models`).", metavar="NAME"),
    Setting("--likelihood", "model.likelihood", _choice("Likelihood", "auto", "bernoulli", "categorical", "mixture"),
            MODEL, "bernoulli, categorical, mixture or auto.", "auto", metavar="NAME"),
    Setting("--mixtures", "model.mixtures", int, MODEL, "Components of a mixture.", "10", metavar="N"),
    Setting("--positions", "model.position_width", int, MODEL, "Features of learned positions; they fix the size.", "0",
            metavar="N"),
    Setting("--text", "model.text", str, MODEL, "How captions are heard: use, learned, use+learned, each +tokens, off. "
            "Default: use, where there are any.", metavar="HOW"),
    Setting("--hint", "model.hint", str, MODEL,
            "Give it beforehand, made of the image: lowres:2, grey, outline, half:left.", metavar="WHAT"),
    Setting("--orders", "model.orders", str, MODEL, "Orders to train on, with commas; raster-all, s-curve-all. "
            "Default: raster.", metavar="NAMES"),
    Setting("--init", "model.init", str, MODEL, "Fine-tune: start from the weights of this model.", metavar="MODEL"),
    Setting("--epochs", "train.epochs", float, TRAINING, "How often each image is seen.", "20", metavar="X"),
    Setting("--steps", "train.steps", int, TRAINING, "How many steps; wins over --epochs.", metavar="N"),
    Setting("--batch-size", "train.batch_size", str, TRAINING, "Images a step, or auto.", "16", metavar="N|auto",
            raw=True),
    Setting("--accumulate", "train.accumulate", int, TRAINING, "Compute a step in N parts, to save memory.", "1",
            metavar="N"),
    Setting("--lr", "train.lr", float, TRAINING, "Peak of the learning rate.", "0.002", metavar="X"),
    Setting("--seed", "train.seed", int, TRAINING, "Of weights, order and augmentation.", "0", metavar="N"),
    Setting("--precision", "train.precision", _choice("Precision", "auto", "fp32", "bf16"), MACHINE,
            "fp32, bf16, or auto: bf16 where it is fast.", "auto", metavar="NAME"),
    Setting("--device", "train.device", str, MACHINE, "cpu, cuda, or auto.", "auto", metavar="NAME"),
    Setting("--threads", "train.threads", int, MACHINE, "CPU threads; 0 lets torch choose.", "0", metavar="N"),
    Setting("--compile", "train.compile", bool, MACHINE, "Use torch.compile."),
    Setting("--tensorboard", "train.tensorboard", bool, MACHINE, "Also write TensorBoard files."),
)  # fmt: skip


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every option of `SETTINGS`; it receives them as keywords, None where not typed."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]  # the last is **options
    command.__signature__ = inspect.Signature([*own, *(s.parameter for s in SETTINGS)])  # type: ignore[attr-defined]
    return command


def given(options: dict[str, Any]) -> Iterator[tuple[Setting, Any]]:
    """The options that were typed, with the value of their setting."""
    from pointillist.training.run_config import parse_value

    for setting in SETTINGS:
        value = options.get(setting.name)
        if value is None:
            continue
        if isinstance(value, StrEnum):
            value = str(value)
        if setting.raw:
            value = parse_value(value)
        yield setting, (not value) if setting.negated else value


def typed_settings(source: str | None, sets: list[str], options: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Spelling, dotted key and value of everything on the command line, the strongest last."""
    from pointillist.training.run_config import parse_assignment

    typed = [] if source is None else [("DATA", "data.source", source)]
    typed += [(setting.flags.split("/")[0], setting.key, value) for setting, value in given(options)]
    return typed + [(f"--set {key}", key, value) for key, value in map(parse_assignment, sets)]
