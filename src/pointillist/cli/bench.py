"""`pointillist bench`: how fast this machine paints and trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import (
    QUANTIZE_HELP,
    Bar,
    print_facts,
    print_json,
    print_table,
    quantized,
    reject_existing,
)
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.bench import BenchConfig, BenchReport
    from pointillist.bench.timing import MedianRange
    from pointillist.model.pretrained import PretrainedPixelModel

EPILOG = """Examples:

  pointillist bench

  pointillist bench pixelsnail:small --size 16 --mode rgb --batch 1,16

  pointillist bench runs/digits --engines naive,step --training 0

  pointillist bench --set model.network.channels=128 --quantize int8

  pointillist bench --threads 1,2 --json speed.json

The hardware floor is what the multiplications would take at the best float32
matrix product that was measured here, plus what reading the weights would take
at the best bandwidth. One thread, timed by its own CPU time."""

_WHAT, _HOW, _WRITE = "What is measured", "How", "Writing"


def _option(*flags: str, value: str, text: str, panel: str, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=panel, min=low)


Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A model folder, a shipped name, a hub id, or an untrained NAME[:PRESET]."),
]
Sets = Annotated[
    list[str] | None,
    _option("--set", value="KEY=VALUE", text="Of an untrained model, such as model.network.layers=12.", panel=_WHAT),
]
Size = Annotated[str | None, _option(value="SIZE", text="28 or 48x64; else the model's own, or 28.", panel=_WHAT)]
Levels = Annotated[int, _option(value="N", text="Of an untrained model.", panel=_WHAT, low=2)]
Mode = Annotated[str, _option(value="KIND", text="Of an untrained model: grey, rgb or rgba.", panel=_WHAT)]
Quantize = Annotated[str | None, _option(value="KIND", text=QUANTIZE_HELP, panel=_WHAT)]
Batch = Annotated[str, _option(value="N,N", text="Images painted at once.", panel=_WHAT)]
Engines = Annotated[str | None, _option(value="NAME,NAME", text="Else all that run here.", panel=_WHAT)]
Threads = Annotated[str, _option(value="N,N", text="More than one are compared with one.", panel=_WHAT)]
Training = Annotated[
    int, _option("--training", value="N", text="Images of a training step; 0: none.", panel=_WHAT, low=0)
]
Compile = Annotated[bool, _option("--compile", value=FLAG, text="Also train compiled; takes minutes.", panel=_WHAT)]
Start = Annotated[bool, _option("--start/--no-start", value=FLAG, text="Also start fresh processes.", panel=_WHAT)]
Repeats = Annotated[int, _option(value="N", text="Rounds in which all take turns; medians count.", panel=_HOW, low=1)]
Json = Annotated[Path | None, _option("--json", value="FILE", text="All figures; - is stdout.", panel=_WRITE)]
Plot = Annotated[Path | None, _option("--plot", value="SVG", text="A picture of the painting times.", panel=_WRITE)]
Force = Annotated[bool, _option("--force", value=FLAG, text="Replace what is there.", panel=_WRITE)]


def bench(
    model: Model = "gated-pixelcnn",
    sets: Sets = None,
    size: Size = None,
    levels: Levels = 256,
    mode: Mode = "grey",
    quantize: Quantize = None,
    batch: Batch = "1,16",
    engines: Engines = None,
    threads: Threads = "1",
    training: Training = 16,
    compiled: Compile = False,
    start: Start = True,
    repeats: Repeats = 5,
    as_json: Json = None,
    plot: Plot = None,
    force: Force = False,
) -> None:
    """Measure how fast this machine paints and trains, against naive and the hardware."""
    from pointillist.bench import BenchConfig
    from pointillist.bench import bench as measure
    from pointillist.bench.plot import draw
    from pointillist.checkpoint.files import write_text
    from pointillist.data import parse_size

    for path in (as_json, plot):
        if path is not None and str(path) != "-":
            reject_existing(path, force)
    wanted = None if size is None else parse_size(size)
    subject, name = _model(model, sets or [], wanted, levels, mode)
    subject, name = quantized(subject, quantize), f"{name} {quantize or ''}".rstrip()
    plan = BenchConfig(
        size=wanted or (subject.image.height, subject.image.width),
        batches=_numbers("--batch", batch),
        engines=None if engines is None else tuple(part.strip() for part in engines.split(",")),
        threads=_numbers("--threads", threads),
        repeats=repeats,
        start=start,
        training=training,
        compiled=compiled,
    )
    report = _measured(measure, subject, name, plan)
    plain = report.plain()
    if plot is not None:
        write_text(plot, draw(plain))
    if as_json is not None and str(as_json) == "-":
        print_json(plain)
        return
    if as_json is not None:
        import json

        write_text(as_json, json.dumps(plain, indent=1) + "\n")
    say(report)


def _measured(measure: Any, subject: PretrainedPixelModel, name: str, plan: BenchConfig) -> BenchReport:
    """The report; a bar shows that something goes on."""
    done = 0
    with Bar("measuring", 0) as bar:

        def on_case(case: str) -> None:
            nonlocal done
            done += 1
            bar.show(done)

        report: BenchReport = measure(subject, name, plan, on_case)
    return report


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    """`"1,16"` as numbers.

    Raises:
        ConfigError: if it is not that.
    """
    from pointillist.errors import ConfigError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ConfigError(f"`{flag}` (={text!r}) must be numbers from 1 on with commas between them, such as 1,16.")
    return tuple(map(int, parts))


def _model(
    name: str, sets: list[str], size: tuple[int, int] | None, levels: int, mode: str
) -> tuple[PretrainedPixelModel, str]:
    """A trained model, or an untrained one with the settings asked for; and what to call it."""
    import torch

    from pointillist.errors import ConfigError
    from pointillist.images import ImageSpec
    from pointillist.model.pretrained import build, load
    from pointillist.networks import names
    from pointillist.training.run_config import RunConfig
    from pointillist.training.settings_tree import assign, parse_assignment

    kind, _, preset = name.partition(":")
    if kind not in names() or Path(name).exists():
        if sets:
            raise ConfigError(
                f"`--set` (={sets[0]!r}) is about an untrained model, and {name} is trained: leave it out."
            )
        return load(name), Path(name).name
    channels = {"grey": 1, "rgb": 3, "rgba": 4}.get(mode)
    if channels is None:
        raise ConfigError(f"`--mode` (={mode!r}) must be grey, rgb or rgba.")
    tree: dict[str, Any] = {"model": {"type": kind, **({"preset": preset} if preset else {})}}
    for key, value in map(parse_assignment, sets):
        assign(tree, key, value)
    section = RunConfig.from_dict(tree).model
    torch.manual_seed(0)
    model = build(
        section.type,
        image=ImageSpec.infer((channels, *(size or (28, 28))), levels, True),
        preset=section.preset,
        likelihood=section.likelihood,
        mixtures=section.mixtures,
        position_width=section.position_width,
        **section.network,
    )
    changed = ", ".join(text.removeprefix("model.network.").removeprefix("model.") for text in sets)
    return model, f"{name}{f' ({changed})' if changed else ''}"


def say(report: BenchReport) -> None:
    """The report for people."""
    peaks, cost = report.peaks, report.cost
    rows, pixels = cost.row_flops / 1e6, cost.pixel_flops / 1e6
    facts = [
        ("model", f"{report.name}, {report.parameters:,} parameters, {report.image}"),
        ("machine", f"{report.machine}; {report.versions}; {report.date}"),
        ("busy", f"{report.busy:.0%} of all cores just before" + (": trust ratios only" if report.busy > 0.2 else "")),
        ("at best", f"{peaks.gflops:.0f} GFLOP/s, {peaks.gigabytes:.0f} GB/s (one thread)"),
        ("an image", f"{rows:,.1f} MFLOP by rows, {pixels:,.1f} by pixels; weights are read, once for a batch, "
         f"{cost.row_bytes / 1e6:,.1f} and {cost.pixel_bytes / 1e6:,.1f} MB"),
        ("recording", f"{report.recording.median:.1f} ms ({report.recording.low:.1f} to {report.recording.high:.1f})"),
        *((f"start {s.engine}", f"{s.first_use:.2f} s for the first image, {s.later_use:.2f} s in the next process")
          for s in report.starts),
        *(("left out", sentence) for sentence in report.skipped),
    ]  # fmt: skip
    print_facts(facts)
    painted = [
        (
            r.engine, f"{r.batch}", f"{r.threads}", f"{r.milliseconds.median:,.1f}", *_ratio(r.over_naive, 0),
            f"{r.over_floor:,.1f}", "" if r.opening is None else f"{r.opening:.0f}",
            "" if r.megabytes is None else f"{r.megabytes:.0f}",
        )
        for r in report.painting
    ]  # fmt: skip
    heads = ("engine", "n", "thr", "ms/image", "x naive", "range", "x floor", "open ms", "MB")
    print_table(heads, painted, range(1, 9))
    typer.echo(
        "n: images painted at once. thr: threads. open ms: until the first site, which ms/image and ratios leave out."
    )
    typer.echo("MB: by which memory grew in the first call.")
    for row in report.painting:
        gain = row.over_one_thread
        faster = "" if gain is None else f"{gain.median:.2f} times one thread ({gain.low:.2f} to {gain.high:.2f}); "
        if faster or row.note:
            typer.echo(f"{row.engine}, batch {row.batch}, {row.threads} thread(s): {faster}{row.note}")
    if report.training:
        trained = [
            (r.variant, f"{r.images_per_second.median:,.1f}", *_ratio(r.over_textbook, 2), f"{r.megabytes:.0f}",
             f"{r.first_seconds:.1f}")
            for r in report.training
        ]  # fmt: skip
        title = f"training, batch {report.training[0].batch}"
        print_table((title, "images/s", "x textbook", "range", "MB", "first s"), trained, range(1, 6))
        typer.echo("NHWC: channels_last. First s: wall time of the first step.")


def _ratio(found: MedianRange | None, digits: int) -> tuple[str, str]:
    """Median and range, for two columns."""
    if found is None:
        return "", ""
    return f"{found.median:,.{digits}f}", f"{found.low:,.{digits}f}-{found.high:,.{digits}f}"
