"""`pointillist sample`: sample new images."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import QUANTIZE_HELP
from pointillist.cli.target import MAP_KINDS, is_map_file, target
from pointillist.commands.paths import check_animation
from pointillist.commands.settings import FLAG
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    from pointillist.cli.sample_source import SampleSource
    from pointillist.cli.writers import Totals
    from pointillist.sampling.prompts import SheetPlan

EPILOG = """Examples:

  pointillist sample runs/digits -n 16

  pointillist sample runs/digits -n 4 --label each --seed 1 --animate painting.gif

  pointillist sample runs/pets -n 8 --label dog,cat --temperature 0.9 --out pets.png

  pointillist sample runs/sprites -n 500 --out sprites/

  pointillist sample emoji -n 8 --text "a red heart" --guidance 2 --not "blue"

  pointillist sample icons -n 2 --text "heart; shopping cart" --label tabler,mdi --out grid.png

  pointillist sample emoji -n 1 --text "a smiling face" --best-of 8 --out face.png

  pointillist sample runs/sprites -n 64 --format atlas --palette autumn.hex --out sprites.png

  pointillist sample runs/faces -n 8 --attribute hair=red --attribute eyes=blue

  pointillist sample runs/upscaler -n 4 --hint small.png

  pointillist sample outline-to-tile -n 4 --hint-from-image sprite.png

  pointillist sample dungeons -n 4 --size 64x64 --format tmj --out levels/

  pointillist sample runs/maps -n 4 --size 64x64 --rules dungeon.toml

  pointillist sample runs/grass -n 4 --seamless both --out tiles/

  pointillist sample runs/digits -n 100000 --out digits.npz"""

_SAMPLING, _OUTPUT = "Sampling", "Output"


def _option(*flags: str, value: str, text: str, panel: str | None = _SAMPLING, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=panel, min=low)


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a bundled name, or hf:USER/MODEL.")]
Count = Annotated[
    int, _option("-n", value="N", text="Images; of each label or prompt, where they are given.", panel=None, low=1)
]
Labels = Annotated[
    list[str] | None,
    _option("--label", value="LABEL", text="Name or number, several with commas, or each for all."),
]
Texts = Annotated[
    list[str] | None, _option("--text", value="PROMPT", text="Prompt; several with semicolons, or repeat the option.")
]
TextsFile = Annotated[Path | None, _option("--texts", value="FILE", text="A file with a prompt on each line.")]
Negative = Annotated[
    str | None, _option("--not", value="PROMPT", text="Prompt to steer away from, by guidance (above 1).")
]
BestOf = Annotated[
    int, _option("--best-of", value="N", text="Sample N of each image; keep the best by its conditions.", low=1)
]
Attributes = Annotated[
    list[str] | None, _option("--attribute", value="NAME=VALUE", text="Such as hair=red; repeatable.")
]
Vector = Annotated[Path | None, _option(value="NPY", text="Condition vector: one row for all images or one each.")]
Hint = Annotated[Path | None, _option(value="IMAGE", text="Condition image: a picture, or an .npy.")]
HintFromImage = Annotated[
    Path | None, _option("--hint-from-image", value="IMAGE", text="An image to derive the hint from.")
]
Temperature = Annotated[
    float | None, _option(value="X", text="Sampling temperature; 0 = argmax. Default: the model's own.")
]
TopP = Annotated[
    float | None, _option(value="X", text="Nucleus sampling: keep the most probable levels up to this sum.")
]
Guidance = Annotated[
    float | None,
    _option(value="X", text="Classifier-free guidance scale (0 = unconditional, 1 = off). Default: the model's own."),
]
Seed = Annotated[int | None, _option(value="N", text="The same seed gives the same images.", low=0)]
Size = Annotated[str | None, _option(value="SIZE", text="Another size, 32 or 48x64, where the model allows it.")]
Seamless = Annotated[
    str | None,
    _option(
        "--seamless", value="SIDES",
        text="Images that tile: x, y or both. The band across each seam is drawn given all other pixels.",
    ),
]  # fmt: skip
Rules = Annotated[Path | None, _option("--rules", value="TOML", text="Rules that every map obeys.")]
Engine = Annotated[str, _option(value="NAME", text="auto, cpu, integer, cuda, jacobi, numpy or naive.")]
Device = Annotated[str, _option(value="NAME", text="Device of the model: cpu, cuda or auto.")]
Threads = Annotated[
    int | None, _option(value="N", text="Threads that share a batch on engine cpu, at most one for each core.", low=1)
]
Verbose = Annotated[bool, _option("--verbose", value=FLAG, text="Print which engine was chosen, and why.")]
Order = Annotated[
    str | None,
    _option("--order", value="NAME", text="Pixel generation order, one the model was trained on."),
]
Quantize = Annotated[str | None, _option(value="KIND", text=QUANTIZE_HELP)]
BatchSize = Annotated[int, _option(value="N", text="Images sampled at once.", low=1)]
Out = Annotated[
    str | None,
    _option(
        "--out", "-o", value="PATH", panel=_OUTPUT,
        text="NAME.png (an image, or a sheet), DIR/, NAME.npz or a map. Default: samples.png, or a free samples-N.png.",
    ),
]  # fmt: skip
Format = Annotated[
    str | None,
    _option(
        "--format",
        value="KIND",
        text="image, sheet, files, npz, or atlas (with JSON). Of maps: tmj, tmx, csv, txt or png.",
        panel=_OUTPUT,
    ),
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
    texts: TextsFile = None,
    negative_prompt: Negative = None,
    best_of: BestOf = 1,
    attribute: Attributes = None,
    vector: Vector = None,
    hint: Hint = None,
    hint_from_image: HintFromImage = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    guidance: Guidance = None,
    seed: Seed = None,
    size: Size = None,
    seamless: Seamless = None,
    rules: Rules = None,
    engine: Engine = "auto",
    device: Device = "cpu",
    threads: Threads = None,
    verbose: Verbose = False,
    order: Order = None,
    quantize: Quantize = None,
    batch_size: BatchSize = 64,
    out: Out = None,
    form: Format = None,
    palette: Palette = None,
    animate: Animate = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Sample new images from a model; into DIR/ or NAME.npz, the same command goes on after an interruption."""
    from pointillist.cli.resumable import unfinished_seed
    from pointillist.cli.sample_report import report
    from pointillist.cli.sample_source import open_source
    from pointillist.cli.writers import check_target
    from pointillist.data import parse_size
    from pointillist.data.palette import read_palette
    from pointillist.rules.config import parse_rules
    from pointillist.sampling.condition_files import read_conditions
    from pointillist.sampling.prompts import SheetPlan, parse_labels, parse_texts
    from pointillist.system import describe_threads

    if seamless is not None:
        from pointillist.completion.canvas import check_sides

        check_sides(seamless)
    kind, path = target(out, form, force)
    obeyed = parse_rules(rules)
    prompts = parse_texts(text or [], texts)
    shape = None if size is None else parse_size(size)
    plain = best_of == 1 and all(one is None for one in (attribute, vector, seamless, obeyed))
    hinted = hint is not None or hint_from_image is not None
    source = open_source(model, engine, device, quantize, shape, plain=plain, hint=hinted)
    plan = SheetPlan.of(parse_labels(label or [], source.classes), prompts, n, source.classes)
    if kind == "sheet" and form is None and plan.total == 1:
        kind = "image"
    check_target(path, kind, plan.total, source.image, source.tileset is not None, force)
    colours = None if palette is None else read_palette(palette)
    if colours is not None:
        source.image.recoloured(colours)  # an error before sampling
    if animate is not None:
        check_animation(animate, kind, force)
    if kind in ("files", "npz") and seed is None:
        seed = unfinished_seed(path)
    own = {name: getattr(source.generation_config, name) for name in ("guidance", "temperature", "top_p")}
    tuned = {"guidance": guidance, "temperature": temperature, "top_p": top_p}
    settings: dict[str, Any] = {
        "n": plan.total, "label": plan.labels, **own, **{k: v for k, v in tuned.items() if v is not None},
        "engine": source.engine.engine, "threads": threads,
        "seed": secrets.randbelow(2**31) if seed is None else seed, "size": shape, "batch_size": batch_size,
        "text": plan.texts, "negative_prompt": negative_prompt, "best_of": best_of,
        **read_conditions(attribute or [], vector, None), **source.hint(hint, hint_from_image, shape),
        "order": source.order(order).name, "seamless": seamless, "rules": obeyed,
    }  # fmt: skip
    for note in (*describe_threads(threads), *source.notes(prompts or ())):
        typer.echo(f"note       {note}", err=True)
    if verbose:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("pointillist").setLevel(logging.INFO)
        typer.echo(f"engine     {source.engine.engine}: {source.engine.reason}", err=as_json)
    started = time.perf_counter()
    totals = _sample(source, settings, kind, path, animate, plan, colours, force)
    report(totals, settings, path, animate, time.perf_counter() - started, measure=source.measure, as_json=as_json)


def _sample(
    source: SampleSource,
    settings: dict[str, Any],
    kind: str,
    path: Path,
    animate: Path | None,
    plan: SheetPlan,
    colours: Sequence[Sequence[int]] | None,
    force: bool,
) -> Totals:
    """Sample batch by batch into the file or folder, and return what to report."""
    from pointillist.cli import writers
    from pointillist.cli.atlas import write_atlas
    from pointillist.cli.map_output import write_map
    from pointillist.cli.resumable import ArchiveSink, FolderSink, write_batches
    from pointillist.files.batch_output import output_lock

    totals = writers.Totals()
    total, batch = settings["n"], settings["batch_size"]
    height, width = settings["size"] or (source.image.height, source.image.width)
    order = source.order(settings["order"])
    lines = order.raster_size(height, width)[0]
    classes = source.classes if settings["label"] is not None else ()
    lines *= settings["best_of"]
    with output_lock(path), Bar("sampling", -(-total // batch) * lines) as bar:
        on_row = lambda done, rows, levels: bar.show(done // batch * lines + rows)  # noqa: E731
        if kind in ("files", "npz") or (kind in MAP_KINDS and not is_map_file(path)):
            image = source.image.resized(height, width)
            sink = ArchiveSink(image, classes) if kind == "npz" else FolderSink(total, source.classes, kind)
            write_batches(sink, path, source, settings, totals, colours=colours, restart=force, on_row=on_row)
            return totals
        parts = totals.through(source.stream(settings, on_row, 0))
        if colours is not None:
            parts = (part.recoloured(colours) for part in parts)
        if kind == "atlas":
            write_atlas(path, parts, classes, plan.columns)
        elif kind in MAP_KINDS:
            write_map(path, parts, kind, force)
        else:
            shown = None if kind == "image" else plan
            result, captions = writers.write_pictures(path, parts, classes, shown, settings["seamless"])
            if animate is not None:
                ranks = source.generation_rank(height, width, order)
                writers.write_animation(animate, result, ranks, captions=captions, columns=plan.columns)
    return totals
