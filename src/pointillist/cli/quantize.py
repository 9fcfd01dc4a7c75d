"""`pointillist quantize`: a model in a smaller file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointillist.cli.output import print_facts, print_json, size_text
from pointillist.cli.settings import FLAG

EPILOG = """Examples:

  pointillist quantize runs/tiles --out tiles-int8

  pointillist quantize runs/tiles --dtype bf16 --out tiles-bf16"""

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a bundled name, or hf:USER/MODEL.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the smaller model.")]
Dtype = Annotated[str, typer.Option(metavar="KIND", help="int8 (a quarter of the size) or bf16 (half).")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace an existing model.")]


def quantize(model: Model, out: Out, dtype: Dtype = "int8", force: Force = False, as_json: Json = False) -> None:
    """Quantize the matrices of a model, and save it in a smaller file.

    The result is a model of its own: evaluate it, sample from it. The last
    layer and small tensors stay as they are.
    """
    from pointillist.checkpoint.header import WEIGHTS
    from pointillist.checkpoint.quantization import quantize_weights
    from pointillist.files.writing import folder_lock
    from pointillist.model.files import default_card
    from pointillist.model.pretrained import load

    reject_filled(out, force)
    source = load(model)
    small = quantize_weights(source, dtype)
    small.card = (
        f"{source.card or default_card(source.config, source.likelihood.name, source.num_parameters)}\n{_note(dtype)}"
    )
    with folder_lock(out):
        reject_filled(out, force)  # by a command that ended meanwhile
        small.save_pretrained(out)
    before = sum(t.numel() * t.element_size() for t in source.state_dict().values())
    after = (out / WEIGHTS).stat().st_size
    if as_json:
        print_json({"dtype": dtype, "bytes_before": before, "bytes": after, "out": str(out)})
    else:
        print_facts(
            [("weights", dtype), ("size", f"{size_text(after)}, {size_text(before)} before"), ("written", str(out))]
        )


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
