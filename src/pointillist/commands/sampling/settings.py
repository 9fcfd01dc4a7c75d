"""Settings of `sample` and `inpaint`, which their jobs share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pointillist.commands.settings import (
    FLAG,
    FORCE,
    JSON,
    MODEL,
    REQUIRED,
    Argument,
    Option,
    Panel,
    Settings,
    argument,
    option,
)
from pointillist.errors import ConfigError

_SAMPLING, _OUTPUT, _HOLE, _METHOD = Panel("Sampling"), Panel("Output"), Panel("The hole"), Panel("Method")

COUNT = Option("N", "Images; of each label or prompt, where they are given.", low=1)
SEED = Option("N", "The same seed gives the same images.", panel=_SAMPLING, low=0)
_RULES = Option("TOML", "Rules that every map obeys.", panel=_SAMPLING)


@dataclass(frozen=True, kw_only=True)
class ImageSettings(Settings):
    """Settings that `sample` and `inpaint` share."""

    seed: int | None = SEED.field(None)
    temperature: Any = _SAMPLING.sampling_option(
        None, "X", "Sampling temperature; 0 = argmax. Default: the model's own, for completions 1."
    )
    guidance: Any = _SAMPLING.sampling_option(
        None,
        "X",
        "Classifier-free guidance scale (0 = unconditional, 1 = off). Default: the model's own, for completions 1.",
    )
    rules: Any = _RULES.sampling_field(None)
    engine: Any = _SAMPLING.sampling_option(
        "auto", "NAME", "auto (the integer program, if any), integer; torch, numpy or naive for floating point."
    )
    device: str = _SAMPLING.option("cpu", "NAME", "Device of the model: cpu, cuda or auto.")
    threads: Any = _SAMPLING.sampling_option(
        None, "N", "Threads that share a batch on engine integer, at most one for each core.", low=1
    )
    order: Any = _SAMPLING.sampling_option(None, "NAME", "Pixel generation order, one the model was trained on.")
    form: str | None = _OUTPUT.option(
        None,
        "KIND",
        "image, sheet, files, npz, npy, gslib, or atlas (with JSON). Of maps: tmj, tmx, csv, txt or png.",
        flags=("--format",),
    )
    animate: Path | None = _OUTPUT.option(None, "GIF", "Also write an animation of the sampling.")
    palette: Path | None = _OUTPUT.option(None, "FILE", "Other colours for a palette model.")
    force: bool = replace(FORCE, panel=_OUTPUT).field(False)
    as_json: bool = replace(JSON, panel=_OUTPUT).field(False)


@dataclass(frozen=True, kw_only=True)
class SampleSettings(ImageSettings):
    """Settings of `sample`."""

    module: ClassVar[str] = "sampling.sample"
    plain_only: ClassVar[str] = "hint_from_image seamless rules threads out form palette animate force as_json"

    model: str = MODEL.field()
    n: int | None = replace(
        COUNT, help="Images; of each label or prompt, where they are given. Default: 16, or 4 of each."
    ).field(None)
    label: tuple[str, ...] = _SAMPLING.option((), "LABEL", "Name or number, several with commas, or each for all.")
    text: tuple[str, ...] = _SAMPLING.option(
        (), "PROMPT", "Prompt; several with semicolons, or repeat the option. Quoted: taken literally."
    )
    texts: Path | None = _SAMPLING.option(None, "FILE", "A file with a prompt on each line.")
    negative_prompt: Any = _SAMPLING.sampling_option(
        None, "PROMPT", "Prompt to steer away from, by guidance (above 1).", flags=("--not",)
    )
    best_of: Any = _SAMPLING.sampling_option(1, "N", "Sample N of each image; keep the best by its conditions.", low=1)
    attribute: tuple[str, ...] = _SAMPLING.option((), "NAME=VALUE", "Such as hair=red; repeatable.")
    condition: tuple[str, ...] = _SAMPLING.option(
        (), "NAME=VALUE", "Any other condition, such as vector=0.2,1.5 or vector=FILE.npy; repeatable."
    )
    hint: Path | None = _SAMPLING.option(None, "IMAGE", "Condition image: a picture, or an .npy.")
    hint_from_image: Path | None = _SAMPLING.option(None, "IMAGE", "An image to derive the hint from.")
    top_p: Any = _SAMPLING.sampling_option(None, "X", "Nucleus sampling: keep the most probable levels up to this sum.")
    size: str | None = _SAMPLING.option(None, "SIZE", "Another size, 32 or 48x64, where the model allows it.")
    seamless: str | None = _SAMPLING.option(
        None, "SIDES", "Images that tile: x, y or both. The band across each seam is drawn given all other pixels."
    )
    batch_size: Any = _SAMPLING.sampling_option(64, "N", "Images sampled at once.", low=1)
    out: str | None = _OUTPUT.option(
        None,
        "PATH",
        "NAME.png (an image, or a sheet), DIR/, NAME.npz or a map. Default: samples.png, or a free samples-N.png.",
        flags=("--out", "-o"),
    )


_MESSAGE = Panel("The message")


@dataclass(frozen=True, kw_only=True)
class RevealSettings(Settings):
    """Settings of `reveal`."""

    file: Path = argument("FILE|DIR", "A picture, map or .npz that hide wrote, or a folder of pictures.")
    model: str | None = _MESSAGE.option(
        None, "MODEL", "The model. Default: each bundled one is tried.", flags=("--in",)
    )
    label: str | None = _MESSAGE.option(None, "LABEL", "Class of all pictures, by name or number.")
    text: str | None = _MESSAGE.option(None, "PROMPT", "Prompt of all pictures.")
    passphrase: str = _MESSAGE.option("", "TEXT", "Without it the message is not found.", show_default=False)


@dataclass(frozen=True, kw_only=True)
class HideSettings(RevealSettings):
    """Settings of `hide`."""

    file: Path = argument("FILE", "The message: any file; encrypt first what must stay secret.")
    model: str = _MESSAGE.option(REQUIRED, "MODEL", "A model with an integer program.", flags=("--in",))
    n: int | None = _MESSAGE.option(None, "N", "Pictures. Default: as many as it takes, or one as large.", low=1)
    size: str | None = _MESSAGE.option(None, "SIZE", "32 or 48x64. Default: the model's own, or what it takes.")
    seed: int | None = _MESSAGE.option(None, "N", "The same pictures each time. Default: others.", low=0)
    out: str = option(REQUIRED, "PATH", "NAME.png for one picture, DIR/, NAME.npz, or a map.", flags=("--out", "-o"))
    force: bool = FORCE.field(False)
    as_json: bool = JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class InpaintSettings(ImageSettings):
    """Settings of `inpaint`."""

    module: ClassVar[str] = "sampling.inpaint"
    plain_only: ClassVar[str] = (
        "data size origin cell vary pattern canvas at seamless condition rules threads out form palette maps animate "
        "force as_json"
    )

    model: str = MODEL.field()
    image: Path | None = Argument("IMAGE", "A picture in the model's size, or a map; for a job a folder.").field(None)
    data: Path | None = _HOLE.option(
        None, "FILE", "Instead of IMAGE: known cells by coordinates, a CSV, GSLIB or .npz."
    )
    size: str | None = _HOLE.option(None, "HxW", "With --data: cells of the grid. Default: the model's.")
    origin: str = _HOLE.option("0,0", "X,Y", "With --data: x and y of the lower left corner.", needs=("data",))
    cell: float = _HOLE.option(1.0, "DX", "With --data: side of a cell, in the units of x and y.", needs=("data",))
    mask: Path | None = _HOLE.option(None, "PNG", "A picture, white where to fill.")
    region: str | None = _HOLE.option(None, "R0:R1,C0:C1", "Rows and columns to fill.")
    transparent: bool = _HOLE.option(False, FLAG, "Fill the transparent pixels of IMAGE.")
    vary: float | None = _HOLE.option(None, "SHARE", "Vary IMAGE, or what is to fill: draw this share again.")
    pattern: str = _HOLE.option(
        "regions", "NAME", "Pixels that --vary draws again: regions or scattered.", needs=("vary",)
    )
    canvas: str | None = _HOLE.option(None, "HxW", "Extend IMAGE to a larger canvas instead.")
    at: str = _HOLE.option("0,0", "R,C", "Row and column of the canvas where IMAGE begins.", needs=("canvas",))
    seamless: str | None = _HOLE.option(None, "SIDES", "Make IMAGE tile instead: x, y or both.")
    n: int = option(8, "N", "Completions.", low=1)
    method: str = _METHOD.option("auto", "NAME", "auto, known, order, smc or sequential.")
    label: str | None = _METHOD.option(None, "LABEL", "Name or number of the label.")
    text: str | None = _METHOD.option(None, "PROMPT", "Prompt.")
    condition: tuple[str, ...] = _METHOD.option(
        (), "KIND=VALUE", "A condition, such as vector=0.7,0.3 for proportions.", needs=("data",)
    )
    particles: int = _METHOD.option(64, "N", "Histories of smc, on average, and of soft data.", low=1)
    moves: int = _METHOD.option(4, "N", "Single-pixel moves of each after smc.", low=0)
    out: str | None = _OUTPUT.option(
        None, "PATH", "A sheet NAME.png, DIR/, NAME.npz or a map. Default: completions.png.", flags=("--out", "-o")
    )
    maps: Path | None = _OUTPUT.option(
        None, "DIR", "Also write the probability of each level, entropy and most probable level."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.image is None) == (self.data is None):
            raise ConfigError("What is known is missing or given twice: give IMAGE, or `--data` with a table of cells.")
        if self.data is None:
            on_canvas = self.canvas is not None or self.seamless is not None
            if self.size is not None:
                raise ConfigError(f"`--size` (={self.size}) is the grid of `--data`: use `--canvas` for an image.")
            if self.vary is not None and (on_canvas or self.animate is not None):
                raise ConfigError(
                    f"`--vary` (={self.vary:g}) draws a share of an image again: leave out `--canvas`, `--seamless` "
                    "and `--animate`."
                )
            if self.animate is not None and on_canvas:
                raise ConfigError("`--animate` shows one hole: leave it out with `--canvas` and `--seamless`.")
            return
        names = ("mask", "region", "vary", "canvas", "seamless", "animate", "rules")
        wrong = [name for name in names if getattr(self, name) is not None]
        if wrong or self.transparent:
            name = (wrong or ["transparent"])[0]
            raise ConfigError(f"`--{name}` is for an image, and `--data` gives cells: leave it out.")


@dataclass(frozen=True, kw_only=True)
class WorldSettings(Settings):
    """Settings of `world`."""

    model: str = MODEL.field()
    seed: int = replace(SEED, help="Names the world.").field(0)
    at: str = _SAMPLING.option("0,0", "X,Y", "Column and row of the first chunk; negative ones too.")
    size: str = _SAMPLING.option("4x4", "HxW", "Chunks to draw: rows and columns.")
    rules: Any = _RULES.sampling_field(None)
    label: str | None = _SAMPLING.option(None, "LABEL", "Class of the maps. Default: window, if there is one.")
    chunk: int = _SAMPLING.option(32, "N", "Tiles along a side of a chunk.", low=8, high=1024)
    out: str = _OUTPUT.option("world.tmj", "PATH", "A .tmj, .png or .csv.", flags=("--out", "-o"))
    force: bool = replace(FORCE, panel=_OUTPUT).field(False)
    as_json: bool = replace(JSON, panel=_OUTPUT).field(False)
