"""`pointillist studio`: a local page to sample, query and edit images."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.studio.server import Server
    from pointillist.studio.service import StudioService

EPILOG = """Examples:

  pointillist studio runs/digits

  pointillist studio runs/digits runs/sprites

  pointillist studio --run runs/digits

  pointillist studio digits --detector runs/detector

  pointillist studio runs/digits --port 8000 --no-browser"""

Models = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL", help="Models to paint with. Default: the bundled ones.")
]
Run = Annotated[
    Path | None, typer.Option("--run", metavar="DIR", help="Watch a training run: curves, samples, each checkpoint.")
]
Detectors = Annotated[
    list[Path] | None,
    typer.Option(
        "--detector", metavar="DIR", help="Folder of an anomaly detector that is not beside its model; repeatable."
    ),
]
Host = Annotated[str, typer.Option(metavar="HOST", help="Address of the server. Default: this machine only.")]
Port = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=65_535, help="Port; 0 for a free one. Default: 8414 if free."),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", metavar=FLAG, help="Print the address, open no browser.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Longest time for one image.")]


def studio(
    models: Models = None,
    run: Run = None,
    detectors: Detectors = None,
    host: Host = "127.0.0.1",
    port: Port = None,
    no_browser: NoBrowser = False,
    timeout: Timeout = 300.0,
) -> None:
    """Paint, query and edit images on a local page, until Ctrl-C.

    Nothing leaves this machine; your browser keeps your work. A model that
    cannot be loaded is reported, and the others work; the studio ends if
    none can be loaded.
    """
    from pointillist.errors import ConfigError, MissingExtraError
    from pointillist.zoo import list_pretrained

    sources = models or ([] if run else [model.name for model in list_pretrained()])
    if not sources and run is None:
        raise ConfigError("`MODEL` is missing, and no model is bundled: name one, for example `studio runs/digits`.")
    try:
        from pointillist.studio.server import Server, is_loopback, usual_port
        from pointillist.studio.service import LIMITS, StudioService
        from pointillist.studio.training_run import TrainingRun
    except ImportError as error:
        raise MissingExtraError("The studio", "studio") from error
    watched = None if run is None else TrainingRun.check(run)
    limits = LIMITS.model_copy(update={"timeout": timeout})
    service = StudioService(sources, limits, run=watched, detectors=detectors or [])
    server = Server(service, host, usual_port(host) if port is None else port)
    if not is_loopback(host):
        typer.echo(
            f"Warning: {host} can be reached from other machines, and there is no password: whoever finds the address "
            "can use these models and this CPU.",
            err=True,
        )
    server.run(lambda: _started(server, service, browser=not no_browser))
    if service.models.failed:
        raise ConfigError("No model could be loaded, so there is nothing to paint with: name another, or train one.")


def _started(server: Server, service: StudioService, *, browser: bool) -> None:
    """Print the address, open the browser, and report the models as they are loaded."""
    typer.echo(f"studio     {server.url}   (Ctrl-C ends it)")
    threading.Thread(target=_report_models, args=[server, service], daemon=True).start()
    if browser and (service.watcher or any(entry.wait_for_weights() for entry in service.models.entries.values())):
        open_browser(server.url)


def _report_models(server: Server, service: StudioService) -> None:
    """Print a line for each model that is ready or failed; stop the server if all failed."""
    for entry in service.models.entries.values():
        entry.wait()
        if entry.info.error:
            typer.echo(f"failed     {entry.name}: {entry.info.error}", err=True)
        else:
            typer.echo(f"ready      {entry.name}")
    if service.models.failed:
        server.stop()


def open_browser(url: str) -> None:
    """Open an address in a graphical browser; where there is none, do nothing: one in this terminal would hide it."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
