"""`pointillist bench`: benchmark sampling and training on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import (
    QUANTIZE_HELP,
    print_facts,
    print_json,
    print_table,
    quantized,
    reject_existing,
)
from pointillist.cli.settings import FLAG
from pointillist.errors import counted
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    from pointillist.bench import BenchConfig, BenchReport
    from pointillist.bench.timing import MedianRange
    from pointillist.model.pixel_model import PixelModel

EPILOG = """Examples:

  pointillist bench

  pointillist bench pixelsnail:small --size 16 --mode rgb --batch-sizes 1,16

  pointillist bench runs/digits --engines naive,numpy --train-batch-size 0

  pointillist bench --set model.network.channels=128 --quantize int8

  pointillist bench --threads 1,2 --json speed.json

The roofline bound is the time of the multiplications at the fastest float32
matrix product measured here (for exact: of bytes), plus that of reading the
weights at the best bandwidth. One thread is timed by its CPU time."""

_WHAT, _HOW, _WRITE = "Workload", "Measurement", "Output"


def _option(*flags: str, value: str, text: str, panel: str, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=panel, min=low)


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model folder, a bundled name, hf:USER/MODEL, or an untrained NAME[:PRESET]."
    ),
]
Sets = Annotated[
    list[str] | None,
    _option(
        "--set", value="KEY=VALUE", text="Setting of an untrained model, such as model.network.layers=12.", panel=_WHAT
    ),
]
Size = Annotated[str | None, _option(value="SIZE", text="28 or 48x64; by default the model's own, or 28.", panel=_WHAT)]
Levels = Annotated[int, _option(value="N", text="Levels of an untrained model.", panel=_WHAT, low=2)]
Mode = Annotated[str, _option(value="KIND", text="Mode of an untrained model: grey, rgb or rgba.", panel=_WHAT)]
Quantize = Annotated[str | None, _option(value="KIND", text=QUANTIZE_HELP, panel=_WHAT)]
BatchSizes = Annotated[str, _option(value="N,N", text="Images sampled at once.", panel=_WHAT)]
Engines = Annotated[str | None, _option(value="NAME,NAME", text="By default all that run here.", panel=_WHAT)]
Threads = Annotated[str, _option(value="N,N", text="Numbers above one are compared with one thread.", panel=_WHAT)]
TrainBatchSize = Annotated[int, _option(value="N", text="Images of a training step; 0 skips it.", panel=_WHAT, low=0)]
Compile = Annotated[
    bool, _option("--compile", value=FLAG, text="Also time compiled training; takes minutes.", panel=_WHAT)
]
Startup = Annotated[
    bool, _option("--startup/--no-startup", value=FLAG, text="Also time the first image of a process.", panel=_WHAT)
]
Repeats = Annotated[int, _option(value="N", text="Interleaved rounds; medians are reported.", panel=_HOW, low=1)]
Json = Annotated[Path | None, _option("--json", value="FILE", text="File for all results; - is stdout.", panel=_WRITE)]
Plot = Annotated[Path | None, _option("--plot", value="SVG", text="Plot of the sampling times.", panel=_WRITE)]
Force = Annotated[bool, _option("--force", value=FLAG, text="Replace existing files.", panel=_WRITE)]


def bench(
    model: Model = "gated-pixelcnn",
    sets: Sets = None,
    size: Size = None,
    levels: Levels = 256,
    mode: Mode = "grey",
    quantize: Quantize = None,
    batch_sizes: BatchSizes = "1,16",
    engines: Engines = None,
    threads: Threads = "1",
    train_batch_size: TrainBatchSize = 16,
    compiled: Compile = False,
    startup: Startup = True,
    repeats: Repeats = 5,
    as_json: Json = None,
    plot: Plot = None,
    force: Force = False,
) -> None:
    """Benchmark sampling and training, against the naive sampler and the roofline bound."""
    from pointillist.bench import BenchConfig
    from pointillist.bench import bench as run_bench
    from pointillist.bench.plot import plot_report
    from pointillist.data import parse_size
    from pointillist.files.writing import write_text

    for path in (as_json, plot):
        if path is not None and str(path) != "-":
            reject_existing(path, force)
    wanted = None if size is None else parse_size(size)
    workload, name = _model(model, sets or [], wanted, levels, mode)
    workload, name = quantized(workload, quantize), f"{name} {quantize or ''}".rstrip()
    config = BenchConfig(
        size=wanted or (workload.image.height, workload.image.width),
        batch_sizes=_numbers("--batch-sizes", batch_sizes),
        engines=None if engines is None else tuple(part.strip() for part in engines.split(",")),
        threads=_numbers("--threads", threads),
        repeats=repeats,
        startup=startup,
        train_batch_size=train_batch_size,
        compiled=compiled,
    )
    report = _run(run_bench, workload, name, config)
    record = report.to_dict()
    if plot is not None:
        write_text(plot, plot_report(record))
    if as_json is not None and str(as_json) == "-":
        print_json(record)
        return
    if as_json is not None:
        import json

        write_text(as_json, json.dumps(record, indent=1) + "\n")
    print_report(report)


def _run(run_bench: Any, workload: PixelModel, name: str, config: BenchConfig) -> BenchReport:
    """Run the benchmark behind a progress bar."""
    done = 0
    with Bar("measuring", 0) as bar:

        def on_case(case: str) -> None:
            nonlocal done
            done += 1
            bar.show(done)

        report: BenchReport = run_bench(workload, name, config, on_case)
    return report


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    """Parse `"1,16"`.

    Raises:
        ConfigError: if `text` is not a list of positive numbers.
    """
    from pointillist.errors import ConfigError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ConfigError(f"`{flag}` (={text!r}) must be positive numbers with commas between them, such as 1,16.")
    return tuple(map(int, parts))


def _model(name: str, sets: list[str], size: tuple[int, int] | None, levels: int, mode: str) -> tuple[PixelModel, str]:
    """Return a trained model, or an untrained one with the given settings, and its name in the report."""
    import torch

    from pointillist.errors import ConfigError
    from pointillist.files.settings_tree import assign, parse_assignment
    from pointillist.images import ImageSpec
    from pointillist.model.pretrained import build, load
    from pointillist.networks import names
    from pointillist.training.run_config import RunConfig

    kind, _, preset = name.partition(":")
    if kind not in names() or Path(name).exists():
        if sets:
            raise ConfigError(
                f"`--set` (={sets[0]!r}) sets up an untrained model, and {name} is trained: leave it out."
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
        position_channels=section.position_channels,
        **section.network,
    )
    changed = ", ".join(text.removeprefix("model.network.").removeprefix("model.") for text in sets)
    return model, f"{name}{f' ({changed})' if changed else ''}"


def print_report(report: BenchReport) -> None:
    """Print the report as tables."""
    peaks, cost = report.peaks, report.cost
    rows, pixels = cost.row_flops / 1e6, cost.pixel_flops / 1e6
    facts = [
        ("model", f"{report.name}, {report.parameters:,} parameters, {report.image}"),
        ("machine", f"{report.machine}; {report.versions}; {report.date}"),
        ("busy", f"{report.busy:.0%} of all cores just before{'; trust only ratios' if report.busy > 0.2 else ''}"),
        ("peak", f"{peaks.gflops:.0f} GFLOP/s, {peaks.byte_gops:.0f} GOP/s of bytes, {peaks.gigabytes:.0f} GB/s "
         "(one thread)"),
        ("cost", f"{rows:,.1f} MFLOP an image by rows, {pixels:,.1f} by pixels; a batch reads "
         f"{cost.row_bytes / 1e6:,.1f} and {cost.pixel_bytes / 1e6:,.1f} MB of weights"),
        ("recording", f"{report.recording.median:.1f} ms ({report.recording.low:.1f} to {report.recording.high:.1f})"),
        *((f"startup {s.engine}", f"{s.first_use:.2f} s for the first image, {s.later_use:.2f} s in the next process")
          for s in report.startup),
        *(("skipped", sentence) for sentence in report.skipped),
    ]  # fmt: skip
    print_facts(facts)
    sampling = [
        (
            r.engine, f"{r.batch}", f"{r.threads}", f"{r.milliseconds.median:,.1f}", *_ratio(r.over_naive, 0),
            f"{r.over_roofline:,.1f}", "" if r.setup is None else f"{r.setup:.0f}",
            "" if r.megabytes is None else f"{r.megabytes:.0f}",
        )
        for r in report.sampling
    ]  # fmt: skip
    heads = ("engine", "n", "thr", "ms/image", "x naive", "range", "x bound", "setup ms", "MB")
    print_table(heads, sampling, range(1, 9))
    typer.echo(
        "n: batch size. thr: threads. x bound: time over the roofline bound. setup ms: not in ms/image and the ratios."
    )
    typer.echo("MB: growth of memory in the first call.")
    for row in report.sampling:
        gain = row.over_one_thread
        faster = "" if gain is None else f"{gain.median:.2f} times one thread ({gain.low:.2f} to {gain.high:.2f}); "
        if row.call_over_naive is not None:
            faster += f"a whole call, setup included, is {row.call_over_naive.median:,.0f} times naive; "
        if faster or row.note:
            typer.echo(
                f"{row.engine}, batch {row.batch}, {counted(row.threads, 'thread')}: {(faster + row.note).rstrip('; ')}"
            )
    if report.training:
        training = [
            (r.variant, f"{r.images_per_second.median:,.1f}", *_ratio(r.over_dense_masked, 2), f"{r.megabytes:.0f}",
             f"{r.first_seconds:.1f}")
            for r in report.training
        ]  # fmt: skip
        title = f"training, batch {report.training[0].batch}"
        print_table((title, "images/s", "x dense", "range", "MB", "first s"), training, range(1, 6))
        typer.echo(
            "x dense: speedup over dense masked kernels. NHWC: channels_last. first s: wall time of the first step."
        )


def _ratio(result: MedianRange | None, digits: int) -> tuple[str, str]:
    """Format median and range for two columns."""
    if result is None:
        return "", ""
    return f"{result.median:,.{digits}f}", f"{result.low:,.{digits}f}-{result.high:,.{digits}f}"
