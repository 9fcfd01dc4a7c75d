"""`pointillist sample`: sample new images."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import QUANTIZE_HELP, Bar, print_json, quantized, reject_existing
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.cli.writers import Totals
    from pointillist.model.pixel_model import PixelModel

EPILOG = """Examples:

  pointillist sample runs/digits -n 16

  pointillist sample runs/digits -n 4 --label each --seed 1 --animate painting.gif

  pointillist sample runs/pets -n 8 --label dog,cat --temperature 0.9 --out pets.png

  pointillist sample runs/sprites -n 500 --out sprites/

  pointillist sample runs/sprites -n 8 --text "a red dragon" --guidance 2

  pointillist sample runs/sprites -n 64 --format atlas --palette autumn.hex --out sprites.png

  pointillist sample runs/faces -n 8 --attribute hair=red --attribute eyes=blue

  pointillist sample runs/upscaler -n 4 --hint small.png

  pointillist sample outline-to-tile -n 4 --hint-from-image sprite.png

  pointillist sample runs/digits -n 100000 --out digits.npz"""

_SAMPLING, _OUTPUT = "Sampling", "Output"


def _option(*flags: str, value: str, text: str, panel: str | None = _SAMPLING, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=panel, min=low)


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a bundled name, or a hub id.")]
Count = Annotated[int, _option("-n", value="N", text="Images; of each label, if labels are given.", panel=None, low=1)]
Labels = Annotated[
    list[str] | None,
    _option("--label", value="LABEL", text="Name or number, several with commas, or each for all."),
]
Texts = Annotated[list[str] | None, _option("--text", value="PROMPT", text="Prompt; repeatable.")]
Attributes = Annotated[
    list[str] | None, _option("--attribute", value="NAME=VALUE", text="Such as hair=red; repeatable.")
]
Vector = Annotated[Path | None, _option(value="NPY", text="Condition vector: one row for all images or one each.")]
Hint = Annotated[Path | None, _option(value="IMAGE", text="Condition image: a picture, or an .npy.")]
HintFromImage = Annotated[
    Path | None, _option("--hint-from-image", value="IMAGE", text="An image to derive the hint from.")
]
Temperature = Annotated[float, _option(value="X", text="Sampling temperature; 0 = argmax.")]
TopP = Annotated[float, _option(value="X", text="Nucleus sampling: keep the most probable levels up to this sum.")]
Guidance = Annotated[float, _option(value="X", text="Classifier-free guidance scale (0 = unconditional, 1 = off).")]
Seed = Annotated[int | None, _option(value="N", text="The same seed gives the same images.", low=0)]
Size = Annotated[str | None, _option(value="SIZE", text="Another size, 32 or 48x64, where the model allows it.")]
Engine = Annotated[str, _option(value="NAME", text="auto, cpu, cuda, cuda-jacobi, numpy or naive.")]
Device = Annotated[str, _option(value="NAME", text="Device of the model: cpu, cuda or auto.")]
Threads = Annotated[int | None, _option(value="N", text="Threads that share a batch on engine cpu.", low=1)]
Verbose = Annotated[bool, _option("--verbose", value=FLAG, text="Print which engine was chosen, and why.")]
Order = Annotated[
    str | None,
    _option("--order", value="NAME", text="Pixel generation order, one the model was trained on."),
]
Quantize = Annotated[str | None, _option(value="KIND", text=QUANTIZE_HELP)]
BatchSize = Annotated[int, _option(value="N", text="Images sampled at once.", low=1)]
Out = Annotated[str, _option("--out", "-o", value="PATH", text="A sheet NAME.png, DIR/ or NAME.npz.", panel=_OUTPUT)]
Format = Annotated[
    str | None, _option("--format", value="KIND", text="sheet, files, npz, or atlas (PNG and JSON).", panel=_OUTPUT)
]
Palette = Annotated[Path | None, _option(value="FILE", text="Other colours for a palette model.", panel=_OUTPUT)]
Animate = Annotated[Path | None, _option(value="GIF", text="Also write an animation of the sampling.", panel=_OUTPUT)]
Force = Annotated[bool, _option("--force", value=FLAG, text="Replace existing files.", panel=_OUTPUT)]
Json = Annotated[bool, _option("--json", value=FLAG, text="Print the result as JSON.", panel=_OUTPUT)]


def sample(
    model: Model,
    n: Count = 16,
    label: Labels = None,
    text: Texts = None,
    attribute: Attributes = None,
    vector: Vector = None,
    hint: Hint = None,
    hint_from_image: HintFromImage = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    guidance: Guidance = 1.0,
    seed: Seed = None,
    size: Size = None,
    engine: Engine = "auto",
    device: Device = "cpu",
    threads: Threads = None,
    verbose: Verbose = False,
    order: Order = None,
    quantize: Quantize = None,
    batch_size: BatchSize = 64,
    out: Out = "samples.png",
    form: Format = None,
    palette: Palette = None,
    animate: Animate = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Sample new images from a model."""
    from pointillist.cli.condition_options import each_label, each_text, parse_conditions, parse_hint
    from pointillist.cli.writers import check_target
    from pointillist.data import parse_size
    from pointillist.data.palette import read_palette
    from pointillist.model.dataset_conditions import precompute_text_embeddings
    from pointillist.model.pretrained import load
    from pointillist.sampling.engines import choose_engine
    from pointillist.training.setup import resolve_device

    first = choose_engine(engine)  # an error before the model is read
    kind, path = target(out, form)
    if first.engine == "cpu" and device == "cpu":
        from pointillist.engine.cpu.precompile import precompile_in_background

        precompile_in_background()  # takes seconds at the first use ever
    shape = None if size is None else parse_size(size)
    loaded = quantized(load(model), quantize)
    loaded.to(resolve_device(device))
    chosen = choose_engine(engine, loaded.device)
    labels = each_label(label or [], loaded.config.classes, n)
    prompts = each_text(text or [], labels, n)
    total = len(labels or prompts or range(n))
    check_target(path, kind, total, loaded.image, force)
    colours = None if palette is None else read_palette(palette)
    if colours is not None:
        loaded.image.recoloured(colours)  # an error before sampling
    if animate is not None:
        check_animation(animate, kind, force)
    settings: dict[str, Any] = {
        "n": total, "label": labels, "temperature": temperature, "top_p": top_p,
        "guidance": guidance,
        "engine": chosen.engine, "threads": threads,
        "seed": secrets.randbelow(2**31) if seed is None else seed, "size": shape, "batch_size": batch_size,
        "text": prompts, **parse_conditions(attribute or [], vector), **parse_hint(loaded, hint, hint_from_image),
        "order": loaded.order(order).name,
    }  # fmt: skip
    precompute_text_embeddings(loaded, prompts or ())
    if verbose:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("pointillist").setLevel(logging.INFO)
        typer.echo(f"engine     {chosen.engine}: {chosen.reason}", err=as_json)
    columns = sheet_columns(n, total // n)
    _sample(loaded, settings, kind, path, animate, columns, colours, as_json)


def target(out: str, form: str | None) -> tuple[str, Path]:
    """Resolve the format and path of the output: by the ending of the path, or as given.

    Raises:
        ConfigError: for another format.
    """
    from pointillist.errors import ConfigError

    path = Path(out)
    if form is None:
        folder = out.endswith(("/", "\\")) or path.is_dir() or not path.suffix
        form = "npz" if path.suffix.lower() == ".npz" else "files" if folder else "sheet"
    if form not in ("sheet", "files", "npz", "atlas"):
        raise ConfigError(f"`--format` (={form!r}) must be sheet, files, npz or atlas.")
    return form, path


def sheet_columns(n: int, labels: int) -> int | None:
    """Return the columns of a sheet that keep the images of a label side by side; None where rows would be too long."""
    if n > 24 or labels == 1:
        return None
    fitting = [n * k for k in range(1, labels + 1) if labels % k == 0]
    return min(fitting, key=lambda columns: abs(math.log(columns**2 / (1.5 * n * labels))))


def check_animation(path: Path, kind: str, force: bool) -> None:
    """Reject an animation that could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    from pointillist.errors import ConfigError

    if kind != "sheet":
        raise ConfigError("`--animate` goes with a sheet: leave out `--out`, or give NAME.png.")
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"`--animate` (={path}) must end in .gif.")
    reject_existing(path, force)


def _sample(
    model: PixelModel,
    settings: dict[str, Any],
    kind: str,
    path: Path,
    animate: Path | None,
    columns: int | None,
    colours: Sequence[Sequence[int]] | None,
    as_json: bool,
) -> None:
    """Sample batch by batch into the file or folder, and report the result."""
    from pointillist.cli import writers
    from pointillist.cli.atlas import write_atlas
    from pointillist.sampling.api import stream

    started = time.perf_counter()
    totals = writers.Totals()
    total, batch = settings["n"], settings["batch_size"]
    height, width = settings["size"] or (model.image.height, model.image.width)
    order = model.order(settings["order"])
    lines = order.raster_size(height, width)[0]
    classes = model.config.classes if settings["label"] is not None else ()
    with Bar("sampling", -(-total // batch) * lines) as bar:
        on_row = lambda done, rows, levels: bar.show(done // batch * lines + rows)  # noqa: E731
        parts = totals.through(stream(model, **settings, on_row=on_row))
        if colours is not None:
            parts = (part.recoloured(colours) for part in parts)
        if kind == "atlas":
            write_atlas(path, parts, classes, columns)
        elif kind == "npz":
            writers.write_npz(path, parts, total, model.image.resized(height, width), classes)
        elif kind == "files":
            writers.write_files(path, parts, total, classes)
        else:
            array, captions = writers.write_sheet(path, parts, classes, columns)
            if animate is not None:
                from pointillist.visualization import animate as write_animation

                ranks = model.generation_rank(height, width, order)
                write_animation(array, animate, order=ranks, captions=captions, columns=columns)
    report(totals, settings, path, animate, time.perf_counter() - started, as_json)


def report(
    totals: Totals, settings: dict[str, Any], path: Path, animate: Path | None, seconds: float, as_json: bool
) -> None:
    """Print the number of images, their bits/dim, and where they are."""
    bits = totals.array
    if as_json:
        print_json(
            {
                "count": len(bits),
                "bits_per_dim": float(bits.mean()),
                "lowest": float(bits.min()),
                "highest": float(bits.max()),
                "seed": settings["seed"],
                "engine": settings["engine"],
                "order": settings["order"],
                "seconds": round(seconds, 3),
                "out": str(path),
                "animation": None if animate is None else str(animate),
            }
        )
        return
    spread = f" ({bits.min():.4f} to {bits.max():.4f})" if len(bits) > 1 else ""
    count = f"{len(bits):,} image{'s' if len(bits) != 1 else ''}"
    typer.echo(f"sampled    {count} in {seconds:.1f} s, engine {settings['engine']}, order {settings['order']}")
    typer.echo(f"bits/dim   {bits.mean():.4f}{spread}, under the model as it is")
    typer.echo(f"seed       {settings['seed']}")
    typer.echo(f"written    {path}")
    if animate is not None:
        typer.echo(f"           {animate}")
