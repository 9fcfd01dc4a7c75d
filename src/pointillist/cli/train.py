"""`pointillist train`: train a model on images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from pointillist.cli.messages import EXIT_STOPPED, for_command_line, print_error
from pointillist.commands.training.settings import TrainSettings

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


def train(ctx: typer.Context, settings: TrainSettings) -> None:
    """Train a model on your images.

    The folder --out gets the best model, sample sheets, metrics, and all settings
    in run.toml, which --config runs again. Ctrl-C saves before it stops; --resume
    continues exactly. Under torchrun all processes share each batch, and the
    first one prints. Precedence: defaults < --init-from < --preset < --config <
    options < --set; the preset of a paper includes its optimiser.
    """
    from pointillist.commands.training import train as work

    try:
        lines = work.train(settings, _studio)
    except work.StoppedError as stop:
        print_error(f"{stop}", label="")
        raise typer.Exit(EXIT_STOPPED) from None
    for line in lines:
        typer.echo(for_command_line(line, ctx.command))


@contextmanager
def _studio(out: Path) -> Iterator[None]:
    """Show a studio that watches the run within a block."""
    from pointillist.cli.studio import open_browser
    from pointillist.studio.http.process import studio_beside

    with studio_beside(out) as url:
        typer.echo(f"studio     {url}   (ends with the training)")
        open_browser(url)
        yield
