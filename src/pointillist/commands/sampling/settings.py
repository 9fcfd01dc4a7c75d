"""Settings of `sample` and `inpaint`, which their jobs share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pointillist.commands.settings import (
    FLAG,
    FORCE,
    JSON,
    MODEL,
    QUANTIZE,
    Argument,
    Option,
    Settings,
    option,
    sampling_option,
)

_SAMPLING, _OUTPUT, _HOLE, _METHOD = "Sampling", "Output", "The hole", "Method"

COUNT = Option("N", "Images; of each label or prompt, where they are given.", low=1)
SEED = Option("N", "The same seed gives the same images.", panel=_SAMPLING, low=0)
_RULES = Option("TOML", "Rules that every map obeys.", panel=_SAMPLING)
_ENGINE = Option(
    "NAME", "auto (the integer program, if any), integer; torch, numpy or naive for floating point.", panel=_SAMPLING
)
_DEVICE = Option("NAME", "Device of the model: cpu, cuda or auto.", panel=_SAMPLING)
_THREADS = Option(
    "N", "Threads that share a batch on engine integer, at most one for each core.", panel=_SAMPLING, low=1
)
_ORDER = Option("NAME", "Pixel generation order, one the model was trained on.", panel=_SAMPLING)
_FORMAT = Option(
    "KIND",
    "image, sheet, files, npz, npy, gslib, or atlas (with JSON). Of maps: tmj, tmx, csv, txt or png.",
    flags=("--format",),
    panel=_OUTPUT,
)
_ANIMATE = Option("GIF", "Also write an animation of the sampling.", panel=_OUTPUT)
_FORCE, _JSON = replace(FORCE, panel=_OUTPUT), replace(JSON, panel=_OUTPUT)


@dataclass(frozen=True, kw_only=True)
class SampleSettings(Settings):
    """Settings of `sample`."""

    model: str = MODEL.field()
    n: int | None = replace(
        COUNT, help="Images; of each label or prompt, where they are given. Default: 16, or 4 of each."
    ).field(None)
    label: tuple[str, ...] = option(
        (), "LABEL", "Name or number, several with commas, or each for all.", panel=_SAMPLING
    )
    text: tuple[str, ...] = option(
        (), "PROMPT", "Prompt; several with semicolons, or repeat the option. Quoted: taken literally.", panel=_SAMPLING
    )
    texts: Path | None = option(None, "FILE", "A file with a prompt on each line.", panel=_SAMPLING)
    negative_prompt: Any = sampling_option(
        None, "PROMPT", "Prompt to steer away from, by guidance (above 1).", flags=("--not",), panel=_SAMPLING
    )
    best_of: Any = sampling_option(
        1, "N", "Sample N of each image; keep the best by its conditions.", panel=_SAMPLING, low=1
    )
    attribute: tuple[str, ...] = option((), "NAME=VALUE", "Such as hair=red; repeatable.", panel=_SAMPLING)
    condition: tuple[str, ...] = option(
        (), "NAME=VALUE", "Any other condition, such as vector=0.2,1.5 or vector=FILE.npy; repeatable.", panel=_SAMPLING
    )
    hint: Path | None = option(None, "IMAGE", "Condition image: a picture, or an .npy.", panel=_SAMPLING)
    hint_from_image: Path | None = option(None, "IMAGE", "An image to derive the hint from.", panel=_SAMPLING)
    temperature: Any = sampling_option(
        None, "X", "Sampling temperature; 0 = argmax. Default: the model's own.", panel=_SAMPLING
    )
    top_p: Any = sampling_option(
        None, "X", "Nucleus sampling: keep the most probable levels up to this sum.", panel=_SAMPLING
    )
    guidance: Any = sampling_option(
        None,
        "X",
        "Classifier-free guidance scale (0 = unconditional, 1 = off). Default: the model's own.",
        panel=_SAMPLING,
        needs=("label", "text", "texts", "attribute", "condition", "hint", "hint_from_image"),
    )
    seed: int | None = SEED.field(None)
    size: str | None = option(None, "SIZE", "Another size, 32 or 48x64, where the model allows it.", panel=_SAMPLING)
    seamless: str | None = option(
        None,
        "SIDES",
        "Images that tile: x, y or both. The band across each seam is drawn given all other pixels.",
        panel=_SAMPLING,
    )
    rules: Any = _RULES.sampling_field(None)
    engine: Any = _ENGINE.sampling_field("auto")
    device: str = _DEVICE.field("cpu")
    threads: Any = _THREADS.sampling_field(None)
    verbose: bool = option(
        False, FLAG, "Print which engine was chosen, and why.", flags=("--verbose",), panel=_SAMPLING
    )
    order: Any = _ORDER.sampling_field(None)
    quantize: str | None = replace(QUANTIZE, panel=_SAMPLING).field(None)
    batch_size: Any = sampling_option(64, "N", "Images sampled at once.", panel=_SAMPLING, low=1)
    out: str | None = option(
        None,
        "PATH",
        "NAME.png (an image, or a sheet), DIR/, NAME.npz or a map. Default: samples.png, or a free samples-N.png.",
        flags=("--out", "-o"),
        panel=_OUTPUT,
    )
    form: str | None = _FORMAT.field(None)
    palette: Path | None = option(None, "FILE", "Other colours for a palette model.", panel=_OUTPUT)
    animate: Path | None = _ANIMATE.field(None)
    force: bool = _FORCE.field(False)
    as_json: bool = _JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class InpaintSettings(Settings):
    """Settings of `inpaint`."""

    model: str = MODEL.field()
    image: Path | None = Argument("IMAGE", "A picture in the model's size, or a map.").field(None)
    data: Path | None = option(
        None, "FILE", "Instead of IMAGE: known cells by coordinates, a CSV, GSLIB or .npz.", panel=_HOLE
    )
    size: str | None = option(None, "HxW", "With --data: cells of the grid. Default: the model's.", panel=_HOLE)
    mask: Path | None = option(None, "PNG", "A picture, white where to fill.", panel=_HOLE)
    region: str | None = option(None, "R0:R1,C0:C1", "Rows and columns to fill.", panel=_HOLE)
    transparent: bool = option(
        False, FLAG, "Fill the transparent pixels of IMAGE.", flags=("--transparent",), panel=_HOLE
    )
    vary: float | None = option(None, "SHARE", "Vary IMAGE, or what is to fill: draw this share again.", panel=_HOLE)
    pattern: str = option(
        "regions", "NAME", "Pixels that --vary draws again: regions or scattered.", panel=_HOLE, needs=("vary",)
    )
    canvas: str | None = option(None, "HxW", "Extend IMAGE to a larger canvas instead.", panel=_HOLE)
    at: str = option("0,0", "R,C", "Row and column of the canvas where IMAGE begins.", panel=_HOLE, needs=("canvas",))
    seamless: str | None = option(None, "SIDES", "Make IMAGE tile instead: x, y or both.", panel=_HOLE)
    n: int = option(8, "N", "Completions.", low=1)
    method: str = option("auto", "NAME", "auto, known, order, smc or sequential.", panel=_METHOD)
    label: str | None = option(None, "LABEL", "Name or number of the label.", panel=_METHOD)
    text: str | None = option(None, "PROMPT", "Prompt.", panel=_METHOD)
    condition: tuple[str, ...] = option(
        (),
        "KIND=VALUE",
        "A condition, such as vector=0.7,0.3 for proportions.",
        panel=_METHOD,
        needs=("data",),
    )
    guidance: Any = sampling_option(
        1.0, "X", "Classifier-free guidance scale (1 = off).", panel=_METHOD, needs=("label", "text")
    )
    temperature: Any = sampling_option(1.0, "X", "Sampling temperature; 0 = argmax.", panel=_METHOD)
    particles: int = option(64, "N", "Histories of smc, on average, and of soft data.", panel=_METHOD, low=1)
    moves: int = option(4, "N", "Single-pixel moves of each after smc.", panel=_METHOD, low=0)
    seed: int | None = SEED.field(None)
    order: Any = _ORDER.sampling_field(None)
    rules: Any = _RULES.sampling_field(None)
    engine: Any = _ENGINE.sampling_field("auto")
    device: str = _DEVICE.field("cpu")
    threads: Any = _THREADS.sampling_field(None)
    out: str | None = option(
        None,
        "PATH",
        "A sheet NAME.png, DIR/, NAME.npz or a map. Default: completions.png.",
        flags=("--out", "-o"),
        panel=_OUTPUT,
    )
    form: str | None = _FORMAT.field(None)
    maps: Path | None = option(
        None, "DIR", "Also write the probability of each level, entropy and most probable level.", panel=_OUTPUT
    )
    animate: Path | None = _ANIMATE.field(None)
    force: bool = _FORCE.field(False)
    as_json: bool = _JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class WorldSettings(Settings):
    """Settings of `world`."""

    model: str = MODEL.field()
    seed: int = replace(SEED, help="Names the world.").field(0)
    at: str = option("0,0", "X,Y", "Column and row of the first chunk; negative ones too.", panel=_SAMPLING)
    size: str = option("4x4", "HxW", "Chunks to draw: rows and columns.", panel=_SAMPLING)
    rules: Any = _RULES.sampling_field(None)
    label: str | None = option(None, "LABEL", "Class of the maps. Default: window, if there is one.", panel=_SAMPLING)
    chunk: int = option(32, "N", "Tiles along a side of a chunk.", panel=_SAMPLING, low=8, high=1024)
    out: str = option("world.tmj", "PATH", "A .tmj, .png or .csv.", flags=("--out", "-o"), panel=_OUTPUT)
    force: bool = _FORCE.field(False)
    as_json: bool = _JSON.field(False)
