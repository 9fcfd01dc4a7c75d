"""`pointillist train`, `quantize` and `demo`: models from images."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pointillist.commands.cli.messages import EXIT_STOPPED, for_command_line, print_error
from pointillist.commands.cli.output import print_report
from pointillist.commands.training import QuantizeSettings, TrainSettings

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


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, the images and the model.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of weights, batches and samples.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps; by default enough for a good model.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")]


def demo(out: Out = Path("demo"), seed: Seed = 0, steps: Steps = None, threads: Threads = 1) -> None:
    """Train on handwritten digits, evaluate, sample new ones, and show the results on one page.

    Takes one to two minutes on two cores. Ctrl-C saves the training; the same command resumes it.
    """
    from pointillist.commands.cli.messages import EXIT_STOPPED
    from pointillist.commands.cli.output import print_facts
    from pointillist.commands.demo import STEPS, run_demo, written_files
    from pointillist.commands.report import console
    from pointillist.studio.export.api import export
    from pointillist.training import Interrupted

    command = "pointillist demo"
    command += f" --out {shlex.quote(str(out))}" if out != Path("demo") else ""
    command += f" --seed {seed}" if seed else ""
    command += f" --steps {steps}" if steps else ""
    command += f" --threads {threads}" if threads != 1 else ""
    try:
        results = run_demo(
            out,
            seed=seed,
            steps=steps or STEPS,
            threads=threads,
            console=console(),
            command=command,
            export=lambda model, page: export(model, html=page),
        )
    except (Interrupted, KeyboardInterrupt):
        typer.echo(f"stopped: `{command}` goes on from the last checkpoint in {out}.", err=True)
        raise typer.Exit(EXIT_STOPPED) from None
    low, high = results["interval"]
    test = f"{results['bits_per_dim']:.3f} bits/dim (95 % {low:.3f} to {high:.3f}), {results['nats']:.2f} nats an image"
    page, *others = written_files(live=True)
    facts = [("test", test), ("page", f"{out / page} (open it in a browser)"), ("files", f"{out}: {', '.join(others)}")]
    print_facts([*facts, ("try", f"pointillist sample {out / 'model'} -n 16 --label 3")])
