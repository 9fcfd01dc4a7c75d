"""`pointillist train`, `quantize`, `demo` and `studio`: models from images, and a local page to paint with them."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pointillist.commands.cli.messages import EXIT_STOPPED, for_command_line, print_error, print_report
from pointillist.commands.inspection.settings import StudioSettings
from pointillist.commands.report import console, note
from pointillist.commands.settings import settings_of
from pointillist.commands.training import DemoSettings, QuantizeSettings, TrainSettings

if TYPE_CHECKING:
    from pointillist.studio.http.server import Server
    from pointillist.studio.service import StudioService


def train(ctx: typer.Context, settings: TrainSettings) -> None:
    """Train a model on your images.

    The folder --out gets the best model, sample sheets, metrics, and all settings
    in run.toml, which --config runs again. Ctrl-C saves before it stops; --resume
    continues exactly. Under torchrun all processes share each batch, and the
    first one prints. Precedence: defaults < --init-from < --preset < --config <
    options < --set; the preset of a paper includes its optimiser.

    Examples:
        pointillist train uci-digits --epochs 40 --out runs/digits
        pointillist train my-sprites/ --palette 64 --size 32 --out runs/sprites
        pointillist train maps/ --mode codes --size 32 --out runs/maps
        pointillist train images.npz --levels 16 --set model.network.channels=48
        pointillist train my-sprites/ --palette 64 --preset base --dry-run
        pointillist train --resume --out runs/digits
        pointillist train uci-digits --out runs/digits --studio
        pointillist train more.npz --init-from runs/digits --out runs/more
        torchrun --nproc-per-node 2 -m pointillist train DATA
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
    from pointillist.studio.http.server import studio_beside

    with studio_beside(out) as url:
        typer.echo(f"studio     {url}   (ends with the training)")
        open_browser(url)
        yield


def quantize(settings: QuantizeSettings) -> None:
    """Make the integer program of a model that has none, or make it again with other images.

    A training ends with it, and every command uses it by default. The weights
    do not change.

    Examples:
        pointillist quantize runs/tiles tiles/ --out tiles-integer
        pointillist quantize runs/tiles tiles/ --images 256 --out runs/tiles --force
    """
    from pointillist.commands import training as work

    print_report(work.quantize(settings), settings.as_json)


def demo(settings: DemoSettings) -> None:
    """Train on handwritten digits, evaluate, sample new ones, and show the results on one page.

    Takes one to two minutes on two cores. Ctrl-C saves the training; the same command resumes it.

    Examples:
        pointillist demo --out demo
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


FIRST = "scenes"
"""The bundled model with which the studio opens: its first painting says what this is about."""


def studio(settings: StudioSettings) -> None:
    """Paint, query and edit images on a local page, until Ctrl-C.

    Nothing leaves this machine; your browser keeps your work. A model that
    cannot be loaded is reported, and the others work; the studio ends if
    none can be loaded.

    Examples:
        pointillist studio runs/digits
        pointillist studio runs/digits runs/sprites
        pointillist studio --run runs/digits
        pointillist studio runs/digits --port 8000 --no-browser
    """
    from pointillist.errors import ConfigError, MissingExtraError
    from pointillist.zoo import list_pretrained

    run, host = settings.run, settings.host
    sources = list(settings.models) or (
        [] if run else sorted((model.name for model in list_pretrained()), key=FIRST.__ne__)
    )
    if not sources and run is None:
        raise ConfigError("`MODEL` is missing, and no model is bundled: name one, for example `studio runs/digits`.")
    try:
        from pointillist.studio.answers.training_run import TrainingRun
        from pointillist.studio.http.server import Server, is_loopback, usual_port
        from pointillist.studio.schemas import LIMITS
        from pointillist.studio.service import StudioService
    except ImportError as error:
        raise MissingExtraError("The studio", "studio") from error
    watched = None if run is None else TrainingRun.check(run)
    limits = LIMITS.model_copy(update={"timeout": settings.timeout})
    service = StudioService(sources, limits, run=watched)
    server = Server(service, host, usual_port(host) if settings.port is None else settings.port)
    if not is_loopback(host):
        note(
            f"Warning: {host} can be reached from other machines, and there is no password: whoever finds the address "
            "can use these models and this CPU."
        )
    server.run(lambda: _started(server, service, browser=not settings.no_browser))
    if service.models.failed:
        raise ConfigError("No model could be loaded, so there is nothing to paint with: name another, or train one.")


def _started(server: Server, service: StudioService, *, browser: bool) -> None:
    """Print the address and open the browser once there is something to show; report the models as they are loaded."""
    if service.watcher or any(entry.wait_for_weights() for entry in service.models.entries.values()):
        typer.echo(f"studio     {server.url}   (Ctrl-C ends it)")
        if browser:
            open_browser(server.url)
    threading.Thread(target=_report_models, args=[server, service], daemon=True).start()


def _report_models(server: Server, service: StudioService) -> None:
    """Print a line for each model that is ready or failed; stop the server if all failed."""
    for entry in service.models.entries.values():
        entry.wait()
        if entry.info.error:
            note(f"failed     {entry.name}: {entry.info.error}")
        else:
            typer.echo(f"ready      {entry.name}")
    if service.models.failed:
        server.stop()


def open_browser(url: str) -> None:
    """Open an address in a graphical browser; skip text browsers, which would take over the terminal."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
