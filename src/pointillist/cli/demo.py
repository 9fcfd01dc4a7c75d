"""`pointillist demo`: train, evaluate and sample on bundled images, in a few minutes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pointillist.demo import DemoResult

EPILOG = "Example:\n\n  pointillist demo --out demo"


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, the images and the model.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, batches and samples.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps; by default enough for a good model.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")] = 1,
) -> None:
    """Train on handwritten digits, evaluate, sample new ones, and show the results on one page.

    Takes one to two minutes on two cores. Ctrl-C saves the training; the same command resumes it.
    """
    from pointillist.cli.messages import EXIT_STOPPED
    from pointillist.cli.output import console, print_facts
    from pointillist.demo import run_demo
    from pointillist.demo.run import STEPS
    from pointillist.training import Interrupted

    screen = console()
    command = _command(out, seed, steps, threads)
    try:
        made = run_demo(out, seed=seed, steps=steps or STEPS, threads=threads, console=screen, command=command)
    except Interrupted:
        typer.echo(f"stopped; the training so far is in {out}: `{command}` resumes it.", err=True)
        raise typer.Exit(EXIT_STOPPED) from None
    except KeyboardInterrupt:
        typer.echo(f"stopped: `{command}` starts again.", err=True)
        raise typer.Exit(EXIT_STOPPED) from None
    screen.print()
    print_facts(_where(made))


def _where(made: DemoResult) -> list[tuple[str, str]]:
    """List the main result and the files."""
    workspace, results = made.workspace, made.results
    low, high = results.interval
    return [
        (
            "test",
            f"{results.bits_per_dim:.3f} bits/dim (95 % {low:.3f} to {high:.3f}), {results.nats:.2f} nats an image",
        ),
        ("page", f"{workspace.page} (open it in a browser)"),
        ("digits", str(workspace.samples)),
        ("animation", str(workspace.animation)),
        ("maps", str(workspace.maps)),
        *((name, f"{file} (from prompts)") for name, file in made.prompt_samples.items()),
        ("model", f"{workspace.model} (try: pointillist sample {workspace.model} -n 16 --label 3)"),
        ("results", str(workspace.results)),
    ]


def _command(out: Path, seed: int, steps: int | None, threads: int) -> str:
    """Return the command line that reproduces the run."""
    parts = ["pointillist demo"]
    parts += [f"--out {shlex.quote(str(out))}"] if out != Path("demo") else []
    parts += [f"--seed {seed}"] if seed else []
    parts += [f"--steps {steps}"] if steps else []
    parts += [f"--threads {threads}"] if threads != 1 else []
    return " ".join(parts)
