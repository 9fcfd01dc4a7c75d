"""`pointillist compact`: a model in a smaller file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointillist.cli.output import print_facts, print_json, size_text
from pointillist.cli.settings import FLAG

EPILOG = """Examples:

  pointillist compact runs/tiles --out tiles-int8

  pointillist compact runs/tiles --weights bf16 --out tiles-bf16"""

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a shipped name, or a hub id.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the smaller model.")]
Weights = Annotated[str, typer.Option(metavar="KIND", help="int8 (a quarter of the size) or bf16 (half).")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace the model that is there.")]


def compact(model: Model, out: Out, weights: Weights = "int8", force: Force = False, as_json: Json = False) -> None:
    """Round the weights of a model, and save it small.

    What comes out is a model of its own: measure it with evaluate, paint with
    it. The last layer and small tensors stay as they are.
    """
    from pointillist.checkpoint.files import WEIGHTS
    from pointillist.checkpoint.quantization import quantize_weights
    from pointillist.errors import ConfigError
    from pointillist.model.card import default_card
    from pointillist.model.pretrained import load

    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not force:
        raise ConfigError(f"{out} is already there: add `--force` to replace the model in it, or give another path.")
    source = load(model)
    rounded = quantize_weights(source, weights)
    rounded.card = (
        f"{source.card or default_card(source.config, source.likelihood.name, source.num_parameters)}\n{_note(weights)}"
    )
    rounded.save_pretrained(out)
    before = sum(t.numel() * t.element_size() for t in source.state_dict().values())
    after = (out / WEIGHTS).stat().st_size
    if as_json:
        print_json({"weights": weights, "bytes_before": before, "bytes": after, "out": str(out)})
    else:
        print_facts(
            [("weights", weights), ("size", f"{size_text(after)}, {size_text(before)} before"), ("written", str(out))]
        )


def _note(kind: str) -> str:
    """What the card adds: figures above it may be those of other weights."""
    how = "int8 with one scale an output" if kind == "int8" else "bf16"
    return (
        f"## Weights\n\nThe matrices are rounded to {how} (`pointillist compact`). "
        "Figures of the training are those of the weights before.\n"
    )
