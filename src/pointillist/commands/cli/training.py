"""`pointillist train`, `quantize` and `demo`: models from images."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from pointillist.commands.cli.messages import EXIT_STOPPED, for_command_line, print_error
from pointillist.commands.cli.output import print_report
from pointillist.commands.report import console
from pointillist.commands.settings import settings_of
from pointillist.commands.training import DemoSettings, QuantizeSettings, TrainSettings

EXAMPLES = {
    "train": """
        pointillist train uci-digits --epochs 40 --out runs/digits
        pointillist train my-sprites/ --palette 64 --size 32 --out runs/sprites
        pointillist train maps/ --mode codes --size 32 --out runs/maps
        pointillist train images.npz --levels 16 --set model.network.channels=48
        pointillist train my-sprites/ --palette 64 --preset base --dry-run
        pointillist train --resume --out runs/digits
        pointillist train uci-digits --out runs/digits --studio
        pointillist train more.npz --init-from runs/digits --out runs/more
        torchrun --nproc-per-node 2 -m pointillist train DATA
    """,
    "quantize": """
        pointillist quantize runs/tiles tiles/ --out tiles-integer
        pointillist quantize runs/tiles tiles/ --images 256 --out runs/tiles --force
    """,
    "demo": "pointillist demo --out demo",
}
"""Shown at the end of the help of each command."""


def train(ctx: typer.Context, settings: TrainSettings) -> None:
    """Train a model on your images.

    The folder --out gets the best model, sample sheets, metrics, and all settings
    in run.toml, which --config runs again. Ctrl-C saves before it stops; --resume
    continues exactly. Under torchrun all processes share each batch, and the
    first one prints. Precedence: defaults < --init-from < --preset < --config <
    options < --set; the preset of a paper includes its optimiser.
    """
    from pointillist.commands import training as work

    try:
        lines = work.train(settings, _watched_by_studio)
    except work.StoppedError as stop:
        print_error(f"{stop}", label="")
        raise typer.Exit(EXIT_STOPPED) from None
    for line in lines:
        typer.echo(for_command_line(line, ctx.command))


@contextmanager
def _watched_by_studio(out: Path) -> Iterator[None]:
    """Show a studio that watches the run within a block."""
    from pointillist.commands.cli.studio import open_browser
    from pointillist.studio.http.server import studio_beside

    with studio_beside(out) as url:
        typer.echo(f"studio     {url}   (ends with the training)")
        open_browser(url)
        yield


def quantize(settings: QuantizeSettings) -> None:
    """Make the integer program of a model that has none, or make it again with other images.

    A training ends with it, and every command uses it by default. The weights
    do not change.
    """
    from pointillist.commands import training as work

    print_report(work.quantize(settings), settings.as_json)


def demo(settings: DemoSettings) -> None:
    """Train on handwritten digits, evaluate, sample new ones, and show the results on one page.

    Takes one to two minutes on two cores. Ctrl-C saves the training; the same command resumes it.
    """
    from pointillist.commands.demo import PAGE, STEPS, run_demo
    from pointillist.training import Interrupted

    out, steps = settings.out, settings.steps or STEPS
    changed = {s.flags[0]: str(getattr(settings, s.name)) for s in settings_of(DemoSettings) if s.is_changed(settings)}
    command = shlex.join(["pointillist", "demo", *(word for option in changed.items() for word in option)])
    try:
        results = run_demo(
            out, seed=settings.seed, steps=steps, threads=settings.threads, console=console(), command=command
        )
    except (Interrupted, KeyboardInterrupt):
        typer.echo(f"stopped: `{command}` goes on from the last checkpoint in {out}.", err=True)
        raise typer.Exit(EXIT_STOPPED) from None
    facts = {name: results[name] for name in ("bits_per_dim", "interval_95", "nats")}
    print_report({**facts, "page": str(out / PAGE), "try": f"pointillist sample {out / 'model'} -n 16 --label 3"})
