"""`pointillist demo`: train, evaluate and sample on bundled images, in a few minutes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Example:\n\n  pointillist demo --out demo"

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, the images and the model.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of weights, batches and samples.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps; by default enough for a good model.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")]


def demo(out: Out = Path("demo"), seed: Seed = 0, steps: Steps = None, threads: Threads = 1) -> None:
    """Train on handwritten digits, evaluate, sample new ones, and show the results on one page.

    Takes one to two minutes on two cores. Ctrl-C saves the training; the same command resumes it.
    """
    from pointillist.cli.messages import EXIT_STOPPED
    from pointillist.cli.output import print_facts
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
