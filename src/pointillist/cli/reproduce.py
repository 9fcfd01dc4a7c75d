"""`pointillist reproduce`: sample again from a manifest of the studio, and compare to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pointillist.cli.output import print_facts, print_json
from pointillist.commands.inspection.settings import ReproduceSettings
from pointillist.commands.paths import reject_existing

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel
    from pointillist.studio.schemas import ReproduceResult, SampleManifest

EPILOG = """Examples:

  pointillist reproduce runs/digits seven.json

  pointillist reproduce runs/digits seven.json --out seven.png"""


def reproduce(settings: ReproduceSettings) -> None:
    """Sample again from a manifest, and compare with its image. Exit code 1 if they differ."""
    from pointillist.errors import ConfigError
    from pointillist.model.config import model_fingerprint
    from pointillist.model.folder.pretrained import load
    from pointillist.studio import reproduce as studio
    from pointillist.studio.schemas import LIMITS

    out = settings.out
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png.")
    if out is not None:
        reject_existing(out, settings.force)
    record = studio.read_manifest(settings.manifest)
    loaded = load(settings.model)
    result = studio.reproduce(loaded, model_fingerprint(loaded), record, LIMITS)
    if out is not None:
        _write(loaded, result, out)
    _print(record, result, out, settings.as_json)
    if not all(result.identical):
        raise typer.Exit(1)


def _write(model: PixelModel, reproduced: ReproduceResult, out: Path) -> None:
    """Write one image as it is, several as a sheet."""
    import numpy as np

    from pointillist.images import as_pil
    from pointillist.visualization import image_grid, save_png

    arrays = [model.image.to_images(image.levels.array()[None].astype(np.int64))[0] for image in reproduced.images]
    save_png(as_pil(arrays[0]) if len(arrays) == 1 else image_grid(np.stack(arrays)), out)


def _print(manifest: SampleManifest, reproduced: ReproduceResult, out: Path | None, as_json: bool) -> None:
    if as_json:
        print_json({**reproduced.model_dump(exclude={"images"}), "out": None if out is None else str(out)})
        return
    facts = [
        ("result", reproduced.message),
        ("model", f"{manifest.model.name}, {'the same' if reproduced.same_model else 'another'}"),
    ]
    facts += [] if out is None else [("written", str(out))]
    print_facts(facts)
