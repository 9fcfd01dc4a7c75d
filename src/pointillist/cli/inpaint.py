"""`pointillist inpaint`: fill the unknown part of an image."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pointillist.cli.output import print_json
from pointillist.cli.sample import (
    Animate,
    Device,
    Engine,
    Force,
    Json,
    Model,
    Order,
    Seed,
    Threads,
    check_animation,
    target,
)
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from torch import Tensor

    from pointillist.completion.result import Completions
    from pointillist.model.pixel_model import PixelModel

EPILOG = """Examples:

  pointillist inpaint runs/digits photo.png --region 14:28,0:28

  pointillist inpaint runs/digits photo.png --mask hole.png -n 16 --label 3

  pointillist inpaint runs/sprites sprite.png --transparent --out filled/

  pointillist inpaint digits photo.png --region 7:21,7:21 --particles 256 --animate filling.gif"""

_HOLE, _METHOD, _OUTPUT = "The hole", "Method", "Output"


def _option(*flags: str, value: str, text: str, panel: str | None, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=panel, min=low)


ImagePath = Annotated[Path, typer.Argument(metavar="IMAGE", show_default=False, help="A picture in the model's size.")]
Count = Annotated[int, _option("-n", value="N", text="Completions.", panel=None, low=1)]
Mask = Annotated[Path | None, _option(value="PNG", text="A picture, white where to fill.", panel=_HOLE)]
Region = Annotated[str | None, _option(value="R0:R1,C0:C1", text="Rows and columns to fill.", panel=_HOLE)]
Transparent = Annotated[
    bool, _option("--transparent", value=FLAG, text="Fill the transparent pixels of IMAGE.", panel=_HOLE)
]
MethodName = Annotated[
    str, _option("--method", value="NAME", text="auto, known, order, smc or sequential.", panel=_METHOD)
]
Particles = Annotated[int, _option(value="N", text="Histories that smc draws together.", panel=_METHOD, low=1)]
Moves = Annotated[int, _option(value="N", text="Single-pixel moves of each after smc.", panel=_METHOD, low=0)]
Label = Annotated[str | None, _option("--label", value="LABEL", text="Name or number of the label.", panel=_METHOD)]
Text = Annotated[str | None, _option("--text", value="PROMPT", text="Prompt.", panel=_METHOD)]
Guidance = Annotated[float, _option(value="X", text="Classifier-free guidance scale (1 = off).", panel=_METHOD)]
Temperature = Annotated[float, _option(value="X", text="Sampling temperature; 0 = argmax.", panel=_METHOD)]
Out = Annotated[str, _option("--out", "-o", value="PATH", text="A sheet NAME.png, DIR/ or NAME.npz.", panel=_OUTPUT)]


def inpaint(
    model: Model,
    image: ImagePath,
    mask: Mask = None,
    region: Region = None,
    transparent: Transparent = False,
    n: Count = 8,
    method: MethodName = "auto",
    label: Label = None,
    text: Text = None,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    particles: Particles = 64,
    moves: Moves = 16,
    seed: Seed = None,
    order: Order = None,
    engine: Engine = "auto",
    device: Device = "cpu",
    threads: Threads = None,
    out: Out = "completions.png",
    animate: Animate = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fill the unknown part of an image.

    Draws completions from the model's distribution of the unknown pixels given
    the known ones, the most probable one first. Known pixels stay as they are. A
    model that was trained with --completion does it exactly for any mask.
    """
    from pointillist.cli.hole import parse_known
    from pointillist.cli.writers import check_target
    from pointillist.completion.api import inpaint as complete
    from pointillist.data.picture_files import read_picture
    from pointillist.model.batches import one_image, precompute_text_embeddings
    from pointillist.model.pretrained import load
    from pointillist.system import resolve_device

    kind, path = target(out, None)
    picture = read_picture(image, str(image))
    loaded = load(model)
    loaded.to(resolve_device(device))
    x = one_image(loaded, picture)
    known = parse_known(picture, mask, region, transparent, (x.shape[2], x.shape[3]))
    check_target(path, kind, n + 1, loaded.image, force)
    if animate is not None:
        check_animation(animate, kind, force)
    precompute_text_embeddings(loaded, [text or ""])
    settings: dict[str, Any] = {
        "n": n, "method": method, "label": label, "text": text, "guidance": guidance, "temperature": temperature,
        "particles": particles, "moves": moves, "seed": secrets.randbelow(2**31) if seed is None else seed,
        "order": order, "engine": engine, "threads": threads,
    }  # fmt: skip
    started = time.perf_counter()
    found = complete(loaded, x, known, **settings)
    write(loaded, found, x, kind, path, animate)
    report(found, path, animate, time.perf_counter() - started, as_json)


def write(model: PixelModel, found: Completions, x: Tensor, kind: str, path: Path, animation: Path | None) -> None:
    """Write completions as a sheet, exact files or an archive, and as an animation."""
    from pointillist.cli import writers
    from pointillist.visualization import animate, image_grid, save_png

    classes = model.config.classes if bool((found.labels >= 0).all()) else ()
    if kind == "npz":
        writers.write_npz(path, [found], len(found), found.image, classes)
        return
    if kind == "files":
        writers.write_files(path, [found], len(found), classes)
        return
    given = found.image.to_images(x.cpu()).copy()
    given[:, ~found.known.all(0)] = 128
    captions = [f"{bits:.1f} bits" for bits in (-found.nats / np.log(2)).tolist()]
    save_png(image_grid(np.concatenate([given, found.array]), captions=["known", *captions]), path)
    if animation is not None:
        rank = model.generation_rank(*found.image.shape[1:], model.order(found.order))
        kept = found.known.all(0)
        later = np.argsort(np.argsort(rank + (~kept) * rank.size, axis=None)).reshape(rank.shape)
        animate(found.array, animation, order=later, start=int(kept.sum()), captions=captions)


def report(found: Completions, path: Path, animation: Path | None, seconds: float, as_json: bool) -> None:
    """Print how the completions were drawn, their bits, and where they are."""
    bits = (-found.nats / np.log(2)).tolist()
    hole = int((~found.known).sum())
    if as_json:
        print_json(
            {
                "count": len(found),
                "method": found.method,
                "exact": found.is_exact,
                "unknown": hole,
                "bits": bits,
                "log_weights": found.log_weights.tolist(),
                "ess": found.ess,
                "acceptance": found.acceptance,
                "seed": found.seed,
                "engine": found.engine,
                "order": found.order,
                "seconds": round(seconds, 3),
                "out": str(path),
                "animation": None if animation is None else str(animation),
            }
        )
        return
    exact = "exact" if found.is_exact else f"effective sample size {found.ess:.1f}"
    moved = "" if found.acceptance is None else f", {found.acceptance:.0%} of the moves accepted"
    typer.echo(f"filled     {hole:,} sub-pixels, {len(found)} times, in {seconds:.1f} s, engine {found.engine}")
    typer.echo(f"method     {found.method}, order {found.order}: {exact}{moved}")
    typer.echo(f"bits       {bits[0]:.1f} to {bits[-1]:.1f} given the known pixels")
    typer.echo(f"seed       {found.seed}")
    typer.echo(f"written    {path}")
    if animation is not None:
        typer.echo(f"           {animation}")
