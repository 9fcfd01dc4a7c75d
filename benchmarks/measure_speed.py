"""Time sampling and training, against the naive sampler and the roofline bound: `python benchmarks/measure_speed.py`.

    python benchmarks/measure_speed.py                       # gated-pixelcnn, untrained
    python benchmarks/measure_speed.py pixelsnail:small --size 16 --mode rgb --batch-sizes 1,16
    python benchmarks/measure_speed.py runs/digits --engines naive,numpy --train-batch-size 0
    python benchmarks/measure_speed.py --set model.network.channels=128
    python benchmarks/measure_speed.py --threads 1,2 --json speed.json
    python benchmarks/measure_speed.py scenes --train-only --text "a red cat on a sofa"
    PYTHONPATH=src:CLONE python benchmarks/measure_speed.py --levels 2 --train-only --peer

MODEL is a folder, a bundled name, hf:USER/MODEL, or an untrained NAME[:PRESET]. The roofline bound is the time of the
multiplications at the fastest float32 matrix product measured here (for integer: of bytes), plus that of reading the
weights at the best bandwidth. One thread is timed by its CPU time. `--peer` trains the same kind of network of
pytorch-generative, of which CLONE is the folder (github.com/EugenHotaj/pytorch-generative; it is installed by nothing
here).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

import pointillist as pt
from pointillist.data import parse_size
from pointillist.errors import ConfigError, PointillistError
from pointillist.files.progress import Bar
from pointillist.files.settings_tree import expand, merge, parse_assignment
from pointillist.files.writing import write_text
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import names
from pointillist.training.runs.config import RunConfig
from speed.plot import plot_report
from speed.report import print_report
from speed.run import BenchConfig, bench


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Time sampling and training on this machine.")
    parser.add_argument("model", nargs="?", default="gated-pixelcnn", help="trained, or an untrained NAME[:PRESET]")
    workload = parser.add_argument_group("workload")
    add = workload.add_argument
    add("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="setting of an untrained model")
    add("--size", help="28 or 48x64; by default the model's own, or 28")
    add("--levels", type=int, default=256, help="levels of an untrained model")
    add("--mode", choices=("grey", "rgb", "rgba"), default="grey", help="mode of an untrained model")
    add("--batch-sizes", type=_numbers, default=(1, 16), metavar="N,N", help="images sampled at once")
    add("--engines", type=lambda text: tuple(text.split(",")), metavar="NAME,NAME", help="by default all that run here")
    add("--threads", type=_numbers, default=(1,), metavar="N,N", help="more than one are compared with one")
    add("--train-only", action="store_true", help="skip sampling")
    add("--train-batch-size", type=int, default=16, help="images of a training step; 0 skips it")
    add("--compile", action="store_true", help="also time compiled training; takes minutes")
    add("--peer", action="store_true", help="also time pytorch-generative, if it is installed")
    add("--text", help="prompt of the images of training")
    add("--no-startup", action="store_true", help="skip the first image of a process")
    add("--repeats", type=int, default=5, help="interleaved rounds; medians are reported")
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--plot", type=Path, help="SVG of the sampling times")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} must be positive numbers with commas between them, such as 1,16")
    return tuple(map(int, parts))


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print, write and plot the report."""
    options = parse(arguments)
    size = None if options.size is None else parse_size(options.size)
    model, name = _model(options, size)
    config = BenchConfig(
        size=size or (model.image.height, model.image.width),
        batch_sizes=() if options.train_only else options.batch_sizes,
        engines=() if options.train_only else options.engines,
        threads=() if options.train_only else options.threads,
        repeats=options.repeats,
        startup=not options.no_startup,
        train_batch_size=options.train_batch_size,
        compiled=options.compile,
        peer=options.peer,
        text=options.text,
    )
    cases = 0
    with Bar("measuring", 0) as bar:

        def on_case(_case: str) -> None:
            nonlocal cases
            cases += 1
            bar.show(cases)

        report = bench(model, name, config, on_case)
    if options.plot is not None:
        write_text(options.plot, plot_report(report.to_dict()))
    if options.json is not None:
        write_text(options.json, json.dumps(report.to_dict(), indent=1) + "\n")
    print_report(report)


def _model(options: argparse.Namespace, size: tuple[int, int] | None) -> tuple[PixelModel, str]:
    """Return a trained model, or an untrained one with the given settings, and its name in the report."""
    name, sets = options.model, options.sets
    kind, _, preset = name.partition(":")
    if kind not in names() or Path(name).exists():
        if sets:
            raise ConfigError(f"`--set` (={sets[0]!r}) sets up an untrained model, and {name} is trained: drop it.")
        return pt.load(name), Path(name).name
    tree = {"model": {"type": kind, **({"preset": preset} if preset else {})}}
    section = RunConfig.from_dict(merge(tree, expand(dict(map(parse_assignment, sets))))).model
    channels = {"grey": 1, "rgb": 3, "rgba": 4}[options.mode]
    torch.manual_seed(0)
    model = pt.build(
        section.type,
        shape=ImageSpec.infer((channels, *(size or (28, 28))), options.levels, True),
        preset=section.preset,
        likelihood=section.likelihood,
        mixtures=section.mixtures,
        position_channels=section.position_channels,
        **section.network,
    )
    changed = ", ".join(text.removeprefix("model.network.").removeprefix("model.") for text in sets)
    return model, f"{name}{f' ({changed})' if changed else ''}"


if __name__ == "__main__":
    try:
        main()
    except PointillistError as error:
        sys.exit(f"Error: {error}")
