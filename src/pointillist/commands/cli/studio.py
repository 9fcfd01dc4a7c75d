"""`pointillist studio`: a local page to sample, query and edit images."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

import typer

from pointillist.commands.inspection.settings import StudioSettings
from pointillist.commands.report import note

if TYPE_CHECKING:
    from pointillist.studio.http.server import Server
    from pointillist.studio.service import StudioService

FIRST = "scenes"
"""The bundled model with which the studio opens: its first painting says what this is about."""

EXAMPLES = {
    "studio": """
        pointillist studio runs/digits
        pointillist studio runs/digits runs/sprites
        pointillist studio --run runs/digits
        pointillist studio digits --detector runs/detector
        pointillist studio runs/digits --port 8000 --no-browser
    """,
}
"""Shown at the end of the help."""


def studio(settings: StudioSettings) -> None:
    """Paint, query and edit images on a local page, until Ctrl-C.

    Nothing leaves this machine; your browser keeps your work. A model that
    cannot be loaded is reported, and the others work; the studio ends if
    none can be loaded.
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
    service = StudioService(sources, limits, run=watched, detectors=settings.detectors)
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
