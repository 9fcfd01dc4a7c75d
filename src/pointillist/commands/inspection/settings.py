"""Settings of `info`, `models`, `example`, `reproduce`, `export` and `studio`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.commands.settings import (
    FLAG,
    FORCE,
    JSON,
    MODEL,
    PRINT_JSON,
    SETS,
    Option,
    Panel,
    Settings,
    argument,
    option,
    sampling_option,
)

_FIELD, _IN_FIELD = Panel("Receptive field"), ("receptive_field",)
REPLACE_FILE = Option(FLAG, "Replace an existing file.")


@dataclass(frozen=True, kw_only=True)
class InfoSettings(Settings):
    """Settings of `info`."""

    name: str = argument("MODEL|DATA|PXL", "Model as for sample, images as for train, or an archive.")
    as_json: bool = PRINT_JSON.field(False)
    set: tuple[str, ...] = SETS.field(())
    palette: str | None = option(None, "N|FILE", "Of images: read them in a palette, as train does.")
    tileset: str | None = option(None, "FILE", "Of maps: the pictures of their levels, as train takes it.")
    program: bool = option(False, FLAG, "List the instructions of the sampling program, with their cost.")
    list_prompts: bool = option(
        False,
        FLAG,
        "List the names that samples of a text model were recognised by, or its words by kind.",
        flags=("--prompts",),
    )
    receptive_field: str | None = _FIELD.option(
        None,
        "ROW,COLUMN",
        "Draw the receptive field of a pixel (or ROW,COLUMN,CHANNEL). MODEL may be an untrained NAME:PRESET.",
    )
    out: Path | None = _FIELD.option(
        None,
        "PNG",
        "Picture to write. Default: field.png, or the next free field-N.png.",
        flags=("--out", "-o"),
        needs=_IN_FIELD,
    )
    size: str | None = _FIELD.option(None, "SIZE", "Image size, 32 or 48x64; also that to which images are resized.")
    order: Any = _FIELD.sampling_option(
        None, "NAME", "Pixel generation order; default: the model's first.", needs=(*_IN_FIELD, "program")
    )
    force: bool = _FIELD.option(False, FLAG, "Overwrite the picture.", needs=_IN_FIELD)


@dataclass(frozen=True, kw_only=True)
class ModelsSettings(Settings):
    """Settings of `models`."""

    as_json: bool = PRINT_JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class ExampleSettings(Settings):
    """Settings of `example`."""

    name: str | None = argument("[NAME]", "tile, photo, digits, rules or tiled-extension; without it, list them.", None)
    path: Path | None = argument("[PATH]", "File or folder to write. Default: its name.", None)
    force: bool = REPLACE_FILE.field(False)


@dataclass(frozen=True, kw_only=True)
class ReproduceSettings(Settings):
    """Settings of `reproduce`."""

    model: str = MODEL.field()
    manifest: Path = argument("MANIFEST", "A manifest that the studio has written.")
    out: Path | None = option(None, "PNG", "Also write the image, or a sheet of several.", flags=("--out", "-o"))
    force: bool = REPLACE_FILE.field(False)
    as_json: bool = JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """Settings of `export`."""

    model: str = MODEL.field()
    html: Path | None = option(None, "FILE", "Write a page that paints with the model: one file, no server.")
    c: Path | None = option(None, "DIR", "Write C11 without a library: sources, the model, an example.", flags=("--c",))
    js: Path | None = option(None, "DIR", "Write a module for JavaScript: the model, its types, an example.")
    rules: Any = sampling_option(None, "TOML", "Of --c: rules of its endless maps, as for world.")
    map_rules: Path | None = option(None, "TOML", "Of --c: rules of its maps, as for sample.")
    force: bool = FORCE.field(False)
    as_json: bool = JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class StudioSettings(Settings):
    """Settings of `studio`."""

    models: tuple[str, ...] = argument("MODEL", "Models to paint with. Default: the bundled ones.", ())
    run: Path | None = option(None, "DIR", "Watch a training run: curves, samples, each checkpoint.")
    host: str = option("127.0.0.1", "HOST", "Address of the server. Default: this machine only.")
    port: int | None = option(None, "N", "Port; 0 for a free one. Default: 8414 if free.", low=0, high=65_535)
    no_browser: bool = option(False, FLAG, "Print the address, open no browser.")
    timeout: float = option(300.0, "SECONDS", "Longest time for one image.", low=1)
