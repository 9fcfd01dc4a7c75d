"""`pointillist train`: train a model on images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pointillist.cli.messages import EXIT_STOPPED, for_command_line, print_error
from pointillist.cli.output import console
from pointillist.cli.settings import FLAG, overrides, with_settings
from pointillist.errors import counted

if TYPE_CHECKING:
    from pointillist.training import TrainResult

EPILOG = """Examples:

  pointillist train uci-digits --epochs 40 --out runs/digits

  pointillist train my-sprites/ --palette 64 --size 32 --out runs/sprites

  pointillist train maps/ --mode codes --size 32 --out runs/maps

  pointillist train images.npz --levels 16 --set model.network.channels=48

  pointillist train my-sprites/ --palette 64 --preset base --dry-run

  pointillist train --resume --out runs/digits

  pointillist train uci-digits --out runs/digits --studio

  pointillist train more.npz --init-from runs/digits --out runs/more

  pointillist train photos/ --model hierarchy --size 64 --dry-run

  torchrun --nproc-per-node 2 -m pointillist train DATA"""


Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder of images or maps, .npz, .npy, .parquet, hf:USER/NAME, or uci-digits, mnist, fashion-mnist, "
        "cifar10 (mnist:FOLDER for local files).",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder of the run and its model. Default: runs/DATA-MODEL."),
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML; options override them.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as train.optimizer.ema=0.99; repeatable."),
]
Resume = Annotated[bool, typer.Option("--resume", metavar=FLAG, help="Continue the run in --out, exactly.")]
Studio = Annotated[
    bool, typer.Option("--studio", metavar=FLAG, help="Watch the run on a local page, which ends with the training.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar=FLAG, help="Try the first steps; estimate images/s, memory and hours."),
]
Stage = Annotated[
    str | None,
    typer.Option("--stage", metavar="NAME", help="Stage of a hierarchy to train alone: tokenizer, codes or pixels."),
]


@with_settings
def train(
    ctx: typer.Context,
    data: Data = None,
    out: Out = None,
    config: Config = None,
    sets: Sets = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    studio: Studio = False,
    stage: Stage = None,
    **options: Any,
) -> None:
    """Train a model on your images.

    The folder --out gets the best model, sample sheets, metrics, and all settings
    in run.toml, which --config runs again. Ctrl-C saves before it stops; --resume
    continues exactly. Under torchrun all processes share each batch, and the
    first one prints. Precedence: defaults < --init-from < --preset < --config <
    options < --set; the preset of a paper includes its optimiser.
    """
    from pointillist.errors import ConfigError
    from pointillist.hierarchy.config import describes_hierarchy
    from pointillist.system import is_main_process
    from pointillist.training import Interrupted
    from pointillist.training.from_config import prepare_run

    settings = overrides(data, sets or [], options)
    if out is not None:
        settings["train.out"] = str(out)
    if resume and dry_run:
        raise ConfigError("`--dry-run` estimates the cost of a new run: leave out `--resume`.")
    if studio and dry_run:
        raise ConfigError("`--studio` watches a run, and `--dry-run` makes none: leave out one of them.")
    if resume and out is None:
        raise ConfigError("`--resume` needs the folder of the run: add `--out DIR`.")
    if resume and config is not None:
        raise ConfigError(f"`--config` (={config}) cannot be used with `--resume`, which reads run.toml: leave it out.")
    if describes_hierarchy(config, settings, out, resume):
        if studio:
            raise ConfigError("`--studio` watches the run of one model, and a hierarchy has several: leave it out.")
        train_hierarchy(config, settings, resume=resume, dry_run=dry_run, stage=stage)
        return
    if stage is not None:
        raise ConfigError(f"`--stage` (={stage!r}) is for hierarchies: add `--model hierarchy`, or leave it out.")
    run = prepare_run(config, settings, resume=resume)
    screen = console() if is_main_process() else None
    if dry_run:
        estimate = run.estimate_cost(screen)
        if is_main_process():
            typer.echo(str(estimate))
        return
    try:
        with _studio(run.out) if studio and is_main_process() else nullcontext():
            result = run.train(screen)
    except Interrupted:
        _stop(f"stopped; the state is saved. Continue with: pointillist train --resume --out {run.out}")
    except KeyboardInterrupt:
        if not (run.out / "state").exists():
            raise
        _stop(f"stopped at once. Continue from the last checkpoint with: pointillist train --resume --out {run.out}")
    if is_main_process():
        _print_result(run.out, result, ctx)


@contextmanager
def _studio(out: Path) -> Iterator[None]:
    """Show a studio that watches the run within a block."""
    from pointillist.cli.studio import open_browser
    from pointillist.studio.beside import studio_beside

    with studio_beside(out) as url:
        typer.echo(f"studio     {url}   (ends with the training)")
        open_browser(url)
        yield


def _stop(message: str) -> NoReturn:
    print_error(message, label="")
    raise typer.Exit(EXIT_STOPPED) from None


def _print_result(out: Path, result: TrainResult, ctx: typer.Context) -> None:
    bits = result.valid_bits_per_dim
    best = f", best validation {bits:.4f} bits/dim" if bits < float("inf") else ""
    conditions = result.model.config.conditions
    labels = " -n 4 --label each" if result.model.config.classes else ""
    prompt = ' --text "..."' if "text" in conditions else ""
    typer.echo(f"done       {counted(result.steps, 'step')}{best}")
    for line in result.advice:
        typer.echo(for_command_line(line, ctx.command))
    typer.echo(f"model      {out}   (sheets: {out / 'samples'})")
    typer.echo(f"try        pointillist sample {out}{labels}{prompt}")


def train_hierarchy(
    config: Path | None, settings: Mapping[str, Any], *, resume: bool, dry_run: bool, stage: str | None
) -> None:
    """Train a hierarchy, or estimate the cost of its stages."""
    from pointillist.hierarchy.estimate import estimate_stages
    from pointillist.hierarchy.train import HierarchyTraining
    from pointillist.training import Interrupted
    from pointillist.training.estimate import format_duration

    training = HierarchyTraining.of(config, settings, resume=resume)
    out = training.run.out
    if dry_run:
        hours, peak = 0.0, 0
        for name, cost in estimate_stages(training, stage):
            typer.echo(f"stage      {name}\n{cost}")
            hours, peak = hours + cost.hours, max(peak, cost.peak_bytes)
        typer.echo(f"total      {format_duration(hours * 3600)}, {peak / 1e9:.2f} GB at most")
        return
    again = f"pointillist train --resume --out {out}{'' if stage is None else f' --stage {stage}'}"
    try:
        training.train(stage, console())
    except Interrupted:
        print_error(f"stopped; the state is saved. Continue with: {again}", label="")
        raise typer.Exit(EXIT_STOPPED) from None
    left = [name for name in training.run.stages if not (out / name / "config.json").is_file()]
    typer.echo(f"model      {out}")
    if left:
        typer.echo(f"next       pointillist train --resume --out {out}   ({', '.join(left)})")
    else:
        typer.echo(f"try        pointillist sample {out}")
