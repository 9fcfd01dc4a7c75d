"""`pointillist quantize`: a model in a smaller file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointillist.cli.output import print_facts, print_json, size_text
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel

EPILOG = """Examples:

  pointillist quantize runs/tiles --out tiles-int8

  pointillist quantize runs/tiles --dtype bf16 --out tiles-bf16

  pointillist quantize runs/tiles --integer --data tiles/ --out tiles-integer"""

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a bundled name, or hf:USER/MODEL.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the smaller model.")]
Dtype = Annotated[
    str | None, typer.Option(metavar="KIND", help="int8 (a quarter of the size) or bf16 (half). Default: int8.")
]
Exact = Annotated[
    bool,
    typer.Option("--integer", metavar=FLAG, help="Add the integer program: the model in integers, for engine integer."),
]
Data = Annotated[
    str | None, typer.Option(metavar="DATA", help="With --integer: training images, as for train; a few are enough.")
]
Images = Annotated[int, typer.Option(min=1, metavar="N", help="With --integer: number of images for the calibration.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="With --integer: how DATA is read; data.* only.")
]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace an existing model.")]


def quantize(
    model: Model,
    out: Out,
    dtype: Dtype = None,
    integer_model: Exact = False,
    data: Data = None,
    images: Images = 64,
    sets: Sets = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Quantize the matrices of a model, and save it in a smaller file.

    The result is a model of its own: evaluate it, sample from it. The last
    layer and small tensors stay as they are. With --integer the weights stay
    as they are too, unless --dtype is given, and the model gets its exact
    program beside them.
    """
    from pointillist.checkpoint.header import WEIGHTS
    from pointillist.checkpoint.quantization import quantize_weights
    from pointillist.errors import ConfigError
    from pointillist.files.writing import folder_lock
    from pointillist.model.files import default_card
    from pointillist.model.pretrained import load

    reject_filled(out, force)
    if integer_model != (data is not None):
        raise ConfigError(
            "`--integer` and `--data` belong together: the integer program is calibrated on training images."
        )
    kind = dtype or (None if integer_model else "int8")
    source = load(model)
    small = source if kind is None else quantize_weights(source, kind)
    if kind is not None:
        card = source.card or default_card(source.config, source.likelihood.name, source.num_parameters)
        small.card = f"{card}\n{_note(kind)}"
    if data is not None:
        add_integer_program(small, data, images, sets or [])
    with folder_lock(out):
        reject_filled(out, force)  # by a command that ended meanwhile
        small.save_pretrained(out)
    before = sum(t.numel() * t.element_size() for t in source.state_dict().values())
    after = (out / WEIGHTS).stat().st_size
    program = small.integer_model().integers.fingerprint if integer_model else None
    if as_json:
        facts = {"dtype": kind, "bytes_before": before, "bytes": after, "out": str(out)}
        print_json(facts | ({} if program is None else {"fingerprint": program}))
    else:
        lines = [("weights", kind or "unchanged"), ("size", f"{size_text(after)}, {size_text(before)} before")]
        lines += [] if program is None else [("integers", f"program {program[:16]}")]
        print_facts([*lines, ("written", str(out))])


def add_integer_program(model: PixelModel, data: str, images: int, sets: list[str]) -> None:
    """Make the integer model of a model, calibrated on images that are read as the model's own."""
    from pointillist.data import load_data
    from pointillist.model.quantize_integer import quantize_integer
    from pointillist.training.recorded_data import resolve_data_options

    options = resolve_data_options(model, data, sets, labels=True)
    classes = model.config.classes if options.labels else ()
    quantize_integer(model, load_data(data, options, spec=model.image, classes=classes), images=images)


def reject_filled(out: Path, force: bool) -> None:
    """Reject an output that holds more than a lock, unless `force` is set.

    Raises:
        ConfigError: naming `--force`.
    """
    from pointillist.errors import ConfigError
    from pointillist.files.writing import LOCK

    if out.exists() and not force and (not out.is_dir() or any(path.name != LOCK for path in out.iterdir())):
        raise ConfigError(f"{out} is already there: add `--force` to replace the model in it, or give another path.")


def _note(kind: str) -> str:
    """Return the note for the model card: figures above it may be those of the original weights."""
    text = "int8 with one scale an output" if kind == "int8" else "bf16"
    return (
        f"## Weights\n\nThe matrices are quantized to {text} (`pointillist quantize`). "
        "Figures of the training are those of the original weights.\n"
    )
