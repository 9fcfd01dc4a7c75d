"""`pointillist inpaint`: fill the unknown part of an image."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import print_json
from pointillist.cli.sample import (
    Animate,
    Device,
    Engine,
    Force,
    Format,
    Json,
    Model,
    Order,
    Rules,
    Seed,
    Threads,
)
from pointillist.cli.target import MAP_KINDS, is_map_file, target
from pointillist.commands.paths import check_animation
from pointillist.commands.settings import FLAG
from pointillist.errors import counted

if TYPE_CHECKING:
    from torch import Tensor

    from pointillist.completion.canvas import Canvases
    from pointillist.completion.result import Completions
    from pointillist.model.pixel_model import PixelModel
    from pointillist.sampling.arrays import SampleArrays

EPILOG = """Examples:

  pointillist inpaint runs/digits photo.png --region 14:28,0:28

  pointillist inpaint runs/digits photo.png --mask hole.png -n 16 --label 3

  pointillist inpaint runs/sprites sprite.png --transparent --out filled/

  pointillist inpaint digits photo.png --region 7:21,7:21 --particles 256 --animate filling.gif

  pointillist inpaint dungeons level.tmj --region 8:16,8:16 -n 1 --out filled.tmj

  pointillist inpaint runs/textures grass.png --canvas 64x64 --at 16,16 -n 2

  pointillist inpaint runs/textures grass.png --seamless both"""

_HOLE, _METHOD, _OUTPUT = "The hole", "Method", "Output"


def _option(*flags: str, value: str, text: str, panel: str | None, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=panel, min=low)


ImagePath = Annotated[
    Path, typer.Argument(metavar="IMAGE", show_default=False, help="A picture in the model's size, or a map.")
]
Count = Annotated[int, _option("-n", value="N", text="Completions.", panel=None, low=1)]
Mask = Annotated[Path | None, _option(value="PNG", text="A picture, white where to fill.", panel=_HOLE)]
Region = Annotated[str | None, _option(value="R0:R1,C0:C1", text="Rows and columns to fill.", panel=_HOLE)]
Transparent = Annotated[
    bool, _option("--transparent", value=FLAG, text="Fill the transparent pixels of IMAGE.", panel=_HOLE)
]
Canvas = Annotated[str | None, _option(value="HxW", text="Extend IMAGE to a larger canvas instead.", panel=_HOLE)]
At = Annotated[str, _option("--at", value="R,C", text="Row and column of the canvas where IMAGE begins.", panel=_HOLE)]
Seamless = Annotated[str | None, _option(value="SIDES", text="Make IMAGE tile instead: x, y or both.", panel=_HOLE)]
MethodName = Annotated[
    str, _option("--method", value="NAME", text="auto, known, order, smc or sequential.", panel=_METHOD)
]
Particles = Annotated[
    int, _option(value="N", text="Histories that smc draws together, on average.", panel=_METHOD, low=1)
]
Moves = Annotated[int, _option(value="N", text="Single-pixel moves of each after smc.", panel=_METHOD, low=0)]
Label = Annotated[str | None, _option("--label", value="LABEL", text="Name or number of the label.", panel=_METHOD)]
Text = Annotated[str | None, _option("--text", value="PROMPT", text="Prompt.", panel=_METHOD)]
Guidance = Annotated[float, _option(value="X", text="Classifier-free guidance scale (1 = off).", panel=_METHOD)]
Temperature = Annotated[float, _option(value="X", text="Sampling temperature; 0 = argmax.", panel=_METHOD)]
Out = Annotated[
    str | None,
    _option("--out", "-o", value="PATH", text="A sheet NAME.png, DIR/, NAME.npz or a map. Default: completions.png.",
            panel=_OUTPUT),
]  # fmt: skip


def inpaint(
    model: Model,
    image: ImagePath,
    mask: Mask = None,
    region: Region = None,
    transparent: Transparent = False,
    canvas: Canvas = None,
    at: At = "0,0",
    seamless: Seamless = None,
    n: Count = 8,
    method: MethodName = "auto",
    label: Label = None,
    text: Text = None,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    particles: Particles = 64,
    moves: Moves = 4,
    seed: Seed = None,
    order: Order = None,
    rules: Rules = None,
    engine: Engine = "auto",
    device: Device = "cpu",
    threads: Threads = None,
    out: Out = None,
    form: Format = None,
    animate: Animate = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fill the unknown part of an image.

    Draws completions from the model's distribution of the unknown pixels given
    the known ones, the most probable one first. Known pixels stay as they are. A
    model that was trained with --completion does it exactly for any mask.
    """
    from pointillist.cli.writers import check_target
    from pointillist.completion.api import inpaint as complete
    from pointillist.completion.canvas import extend, make_seamless
    from pointillist.completion.hole import parse_canvas, parse_known
    from pointillist.errors import ConfigError
    from pointillist.model.batches import one_image
    from pointillist.model.folder.pretrained import load
    from pointillist.rules.config import parse_rules
    from pointillist.system import describe_threads, resolve_device

    kind, path = target(out, form, force, "completions")
    loaded = load(model)
    loaded.to(resolve_device(device))
    x = one_image(loaded, image)
    other = parse_canvas(canvas, at, seamless, [mask is not None, region is not None, transparent])
    if other is None:
        known = parse_known(image, mask, region, transparent, (x.shape[2], x.shape[3]))
    check_target(path, kind, n + (kind not in MAP_KINDS), loaded.image, loaded.tileset is not None, force)
    if animate is not None:
        check_animation(animate, kind, force)
        if other is not None:
            raise ConfigError("`--animate` shows one hole: leave it out with `--canvas` and `--seamless`.")
    settings: dict[str, Any] = {
        "n": n, "method": method, "label": label, "text": text, "guidance": guidance, "temperature": temperature,
        "particles": particles, "moves": moves, "seed": secrets.randbelow(2**31) if seed is None else seed,
        "order": order, "engine": engine, "threads": threads, "rules": parse_rules(rules),
    }  # fmt: skip
    for note in describe_threads(threads):
        typer.echo(f"note       {note}", err=True)
    started = time.perf_counter()
    results: Completions | Canvases
    if other is None:
        results = complete(loaded, x, known, **settings)
    elif seamless is not None:
        results = make_seamless(loaded, x, seamless, **settings)  # type: ignore[arg-type]
    else:
        results = extend(loaded, x, *other, **settings)
    write(loaded, results, x, kind, path, animate, force, seamless)
    report(results, path, animate, time.perf_counter() - started, as_json)


def write(
    model: PixelModel,
    results: Completions | Canvases,
    x: Tensor,
    kind: str,
    path: Path,
    animation: Path | None,
    force: bool,
    seamless: str | None = None,
) -> None:
    """Write completions as a sheet, exact files, maps or an archive, and as an animation.

    A sheet repeats images that tile in the directions `seamless`.
    """
    import numpy as np

    from pointillist.cli import writers
    from pointillist.cli.map_output import write_map
    from pointillist.completion.result import Completions
    from pointillist.sampling.files import level_bytes, write_npz
    from pointillist.visualization import image_grid, save_png

    classes = model.config.classes if bool((results.labels >= 0).all()) else ()
    if kind == "npz":
        nats, labels = results.nats.numpy(), results.labels.numpy()
        write_npz(path, [level_bytes(results.numpy())], nats, labels, results.image, classes)
        return
    if kind in MAP_KINDS and is_map_file(path):
        write_map(path, [results.numpy()], kind, force)
        return
    if kind == "files" or kind in MAP_KINDS:
        _write_folder(path, results.numpy(), classes, kind)
        return
    captions = [f"{bits:.1f} bits" for bits in (-results.nats / math.log(2)).tolist()]
    if not isinstance(results, Completions):
        save_png(image_grid(writers.repeated(results.drawn(), seamless), captions=captions), path)
        return
    array, kept = results.drawn(), results.known.all(0)
    given = replace(results, levels=x.cpu().expand_as(results.levels)).drawn()[:1].copy()
    given[:, np.kron(~kept, np.ones(np.array(given.shape[1:3]) // kept.shape, bool))] = 128
    save_png(image_grid(np.concatenate([given, array]), captions=["known", *captions]), path)
    if animation is not None:
        rank = model.generation_rank(*results.image.shape[1:], model.order(results.order))
        later = np.argsort(np.argsort(rank + (~kept) * rank.size, axis=None)).reshape(rank.shape)
        writers.write_animation(animation, [results.numpy()], later, captions=captions, start=int(kept.sum()))


def _write_folder(folder: Path, results: SampleArrays, classes: Sequence[str], form: str) -> None:
    """Write files in their exact size, and a list of them that `load_data` reads; each file appears whole."""
    from pointillist.cli.map_output import files_beside
    from pointillist.cli.resumable import LIST
    from pointillist.cli.writers import encode_files
    from pointillist.files.writing import atomic_path

    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name, content in files_beside(results, form).items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    for number, (content, label, nats) in enumerate(
        zip(encode_files(results, form), results.labels.tolist(), results.nats.tolist(), strict=True)
    ):
        name = f"{number:05d}.{form if form in MAP_KINDS else 'png'}"
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
        label_row = {"label": classes[label]} if classes else {}
        rows.append({"file_name": name, **label_row, "bits": round(-nats / math.log(2), 3)})
    with atomic_path(folder / LIST) as listing:
        listing.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def report(results: Completions | Canvases, path: Path, animation: Path | None, seconds: float, as_json: bool) -> None:
    """Print how the completions were drawn, their bits, and where they are."""
    from pointillist.completion.result import Completions

    bits = (-results.nats / math.log(2)).tolist()
    facts: dict[str, Any] = {"count": len(results), "bits": bits}
    if isinstance(results, Completions):
        facts |= {
            "method": results.method, "exact": results.is_exact, "unknown": int((~results.known).sum()),
            "log_weights": results.log_weights.tolist(), "ess": results.ess, "acceptance": results.acceptance,
            "rule_acceptance": results.rule_acceptance,
        }  # fmt: skip
        exact = "exact" if results.is_exact else f"effective sample size {results.ess:.1f}"
        obeyed = "" if results.rule_acceptance is None else f", {results.rule_acceptance:.1%} obeyed the rules"
        moved = "" if results.acceptance is None else f", {results.acceptance:.0%} of the moves accepted"
        what, how = (
            f"{facts['unknown']:,} sub-pixels",
            f"{results.method}, order {results.order}: {exact}{moved}{obeyed}",
        )
    else:
        facts |= {"methods": list(results.methods), "orders": list(results.orders)}
        names = ", ".join(
            f"{m}, order {o}" for m, o in dict.fromkeys(zip(results.methods, results.orders, strict=True))
        )
        what, how = (
            f"{results.image.height}x{results.image.width}",
            f"{names}: {counted(len(results.methods), 'window')}",
        )
    if as_json:
        written = {"out": str(path), "animation": None if animation is None else str(animation)}
        ran = {"seed": results.seed, "engine": results.engine, "order": results.order, "seconds": round(seconds, 3)}
        print_json({**facts, **ran, **written})
        return
    typer.echo(f"filled     {what}, {counted(len(results), 'time')}, in {seconds:.1f} s, engine {results.engine}")
    typer.echo(f"method     {how}")
    spread = f"{min(bits):.1f} to {max(bits):.1f}" if len(bits) > 1 else f"{bits[0]:.1f}"
    typer.echo(f"bits       {spread} given the known pixels")
    typer.echo(f"seed       {results.seed}")
    typer.echo(f"written    {path}")
    if animation is not None:
        typer.echo(f"           {animation}")
