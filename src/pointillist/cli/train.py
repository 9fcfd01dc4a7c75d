"""`pointillist train`: make a model of your images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.errors import EXIT_STOPPED, print_error
from pointillist.cli.output import console
from pointillist.cli.settings import FLAG, typed_settings, with_settings
from pointillist.system.processes import is_main_process

if TYPE_CHECKING:
    from pointillist.data import DataSplits
    from pointillist.model.pixel_model import PixelModel
    from pointillist.training.run_config import RunConfig

EPILOG = """Examples:

  pointillist train uci-digits --epochs 40 --out runs/digits

  pointillist train my-sprites/ --palette 64 --size 32 --out runs/sprites

  pointillist train images.npz --levels 16 --set model.network.channels=48

  pointillist train my-sprites/ --palette 64 --preset base --dry-run

  pointillist train --resume --out runs/digits

  pointillist train more.npz --init runs/digits --out runs/more

  torchrun --nproc-per-node 2 -m pointillist train DATA"""


Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder of images, .npz, .npy, .parquet, hf:NAME, or uci-digits, mnist, fashion-mnist, cifar10 "
        "(mnist:FOLDER for local files).",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder of the run and its model. Default: runs/DATA-MODEL."),
]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML; options win.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as train.ema=0.99; repeatable."),
]
Resume = Annotated[bool, typer.Option("--resume", metavar=FLAG, help="Go on with the run in --out, exactly.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar=FLAG, help="Try the first steps; tell images/s, memory and hours."),
]


@with_settings
def train(
    data: Data = None,
    out: Out = None,
    config: Config = None,
    sets: Sets = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    **options: Any,
) -> None:
    """Make a model of your images.

    The folder --out gets the best model, sample sheets, metrics, and all settings
    in run.toml, which --config runs again. Ctrl-C saves before it stops; --resume
    goes on exactly. Under torchrun all processes share each batch, and the first
    one prints. Settings: defaults < --init < --preset < --config < options <
    --set; the preset of a paper brings its optimiser along.
    """
    from pointillist.errors import ConfigError
    from pointillist.training.run_folder import new_run, resumed_run

    typed = typed_settings(data, sets or [], options)
    if out is not None:
        typed.append(("--out", "train.out", str(out)))
    if resume and dry_run:
        raise ConfigError("`--dry-run` tells what a new run costs: leave out `--resume`.")
    if resume:
        if out is None:
            raise ConfigError("`--resume` needs the folder of the run: add `--out DIR`.")
        run, source = resumed_run(out, config, typed[:-1]), None
    else:
        run, source = new_run(config, typed)
    if dry_run:
        _forecast(run, source)
    else:
        _train(run, source, resume)


def _forecast(run: RunConfig, source: PixelModel | None) -> None:
    """Read the images, make the model, try the first steps."""
    from pointillist.training import estimate_cost

    _check_source(run)
    splits = _read(run, source, resume=False)
    model, _ = _model(run, splits, source)
    found = estimate_cost(model, splits, run.train, console=console() if is_main_process() else None, paint=paint_sheet)
    if is_main_process():
        typer.echo(str(found))


def _train(run: RunConfig, source: PixelModel | None, resume: bool) -> None:
    """Read the images, make the model, run the loop."""
    from pointillist.training import Interrupted
    from pointillist.training import train as train_model
    from pointillist.training.run_folder import check_new_folder, run_folder

    _check_source(run)
    run = _with_folder(run)
    out = run.train.out
    assert out is not None
    if not resume:
        check_new_folder(out)
    splits = _read(run, source, resume)
    model, notes = _model(run, splits, source)
    run = _resolved(run, model)
    screen = console() if is_main_process() else None
    if screen is not None:
        for line in [*_world(), *(f"init       {note}" for note in notes)]:
            screen.print(line)
    try:
        with run_folder(run, f"pointillist train --config {out / 'run.toml'} --out ANOTHER", resume):
            result = train_model(
                model, splits, run.train, resume=resume, console=screen, record=_record(run), paint=paint_sheet
            )
    except Interrupted:
        print_error(f"stopped; the state is saved. Go on with: pointillist train --resume --out {out}", label="")
        raise typer.Exit(EXIT_STOPPED) from None
    except KeyboardInterrupt:
        if not (out / "state").exists():
            raise
        print_error(
            f"stopped at once. Go on from the last saved state with: pointillist train --resume --out {out}", label=""
        )
        raise typer.Exit(EXIT_STOPPED) from None
    if is_main_process():
        _say_result(out, result.steps, result.valid_bits_per_dim, bool(model.config.classes))


def _with_folder(run: RunConfig) -> RunConfig:
    """A run that has a folder: by default it is named after images and model."""
    if run.train.out is not None:
        return run
    stem = Path(str(run.data.source).replace(":", "-")).stem or "images"
    folder = Path("runs") / f"{stem}-{run.model.type}"
    return run.model_copy(update={"train": run.train.model_copy(update={"out": folder})})


def _check_source(run: RunConfig) -> None:
    from pointillist.errors import ConfigError

    if run.data.source is None:
        raise ConfigError("DATA is missing: give a folder, a file or a name, or `source` under [data] in the settings.")


def _read(run: RunConfig, source: PixelModel | None, resume: bool) -> DataSplits:
    """The images; for fine-tuning read as the source's kind, unless another was asked for."""
    from pointillist.checkpoint.files import read_config
    from pointillist.data import load_data
    from pointillist.errors import DataError
    from pointillist.images import ImageSpec

    options = run.data.options
    spec = None
    asked = (options.mode != "auto", options.palette, options.levels, options.ordered)
    if run.model.init is not None and not any(v not in (None, False) for v in asked):
        if source is not None:
            spec = source.image
        elif resume and run.train.out is not None:  # the source may be gone; the run's own model has its kind
            spec = ImageSpec(**read_config(run.train.out / "last")["image"])
    splits = load_data(str(run.data.source), options, spec=spec)
    if splits.train is None:
        raise DataError(f"{run.data.source} has no training part: it has {', '.join(splits.names)} only.")
    return splits


def _model(run: RunConfig, splits: DataSplits, source: PixelModel | None) -> tuple[PixelModel, list[str]]:
    import torch

    from pointillist.model.finetune import initialise_from
    from pointillist.model.pretrained import build
    from pointillist.training.from_config import infer_conditions

    assert splits.train is not None
    section = run.model
    torch.manual_seed(run.train.seed)
    model = build(
        section.type,
        image=splits.train.spec,
        preset=section.preset,
        conditions=infer_conditions(section.conditions, splits.train, source),
        likelihood=section.likelihood,
        mixtures=section.mixtures,
        position_channels=section.position_channels,
        order_channels=section.order_channels,
        level_channels=section.level_channels,
        orders=section.orders,
        **section.network,
    )
    notes = [] if source is None else initialise_from(model, source)
    return model, notes


def _resolved(run: RunConfig, model: PixelModel) -> RunConfig:
    """The run with every setting of its network written out, whatever presets become later."""
    network = {k: v for k, v in model.config.backbone.model_dump(mode="json").items() if v is not None}
    return run.model_copy(update={"model": run.model.model_copy(update={"network": network})})


def _record(run: RunConfig) -> dict[str, Any]:
    """What is kept with the model: it may travel, so without the folder it was made in."""
    tree = run.to_dict()
    tree["train"].pop("out", None)
    return tree


def _world() -> list[str]:
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return [f"processes  {size} under torchrun, each with its share of every batch"] if size > 1 else []


def paint_sheet(model: Any, folder: Path, step: int) -> None:
    """A sheet of samples along the way: two of each class, or sixteen."""
    from pointillist.sampling.api import sample
    from pointillist.visualization import image_grid, save_png

    if model.image.levels > 256:
        return  # codes are no picture
    classes = list(model.config.classes)[:8]
    labels = [name for name in classes for _ in range(2)] or None
    samples = sample(model, len(labels) if labels else 16, labels, seed=0)
    save_png(image_grid(samples.array, captions=labels), folder / f"step-{step:07d}.png")


def _say_result(out: Path, steps: int, bits: float, labels: bool) -> None:
    found = f", best validation {bits:.4f} bits/dim" if bits < float("inf") else ""
    typer.echo(f"done       {steps:,} steps{found}")
    typer.echo(f"model      {out}   (sheets: {out / 'samples'})")
    typer.echo(f"try        pointillist sample {out}{' -n 4 --label each' if labels else ''}")
