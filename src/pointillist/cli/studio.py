"""`pointillist studio`: a local page to paint in."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.studio.server import Server
    from pointillist.studio.service import StudioService

EPILOG = """Examples:

  pointillist studio runs/digits

  pointillist studio runs/digits runs/sprites

  pointillist studio runs/digits --port 8000 --no-browser"""

Models = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL", help="Models to paint with; else those that are shipped.")
]
Host = Annotated[str, typer.Option(metavar="HOST", help="Where it listens. Default: for this machine only.")]
Port = Annotated[int, typer.Option(metavar="N", min=0, max=65_535, help="Default: one that is free.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", metavar=FLAG, help="Open no browser, print the address only.")]
Seconds = Annotated[float, typer.Option(metavar="X", min=1, help="Longest time for one painting.")]


def studio(
    models: Models = None,
    host: Host = "127.0.0.1",
    port: Port = 0,
    no_browser: NoBrowser = False,
    seconds: Seconds = 300.0,
) -> None:
    """Paint, ask and look on a local page, until Ctrl-C. Nothing leaves this machine, and nothing is kept on it.

    A model that cannot be loaded is said, and the others work; without any the studio ends.
    """
    from pointillist.errors import ConfigError, MissingExtraError
    from pointillist.zoo import list_pretrained

    sources = models or [model.name for model in list_pretrained()]
    if not sources:
        raise ConfigError("`MODEL` is missing, and no model is shipped: name one, for example `studio runs/digits`.")
    try:
        from pointillist.studio.server import Server, is_loopback
        from pointillist.studio.service import LIMITS, StudioService
    except ImportError as error:
        raise MissingExtraError("The studio", "studio") from error
    service = StudioService(sources, LIMITS.model_copy(update={"timeout": seconds}))
    server = Server(service, host, port)
    if not is_loopback(host):
        typer.echo(
            f"Warning: {host} can be reached from other machines, and there is no password: whoever finds the address "
            "can use these models and this processor.",
            err=True,
        )
    server.run(lambda: _started(server, service, browser=not no_browser))
    if service.models.failed:
        raise ConfigError("No model could be loaded, so there is nothing to paint with: name another, or train one.")


def _started(server: Server, service: StudioService, *, browser: bool) -> None:
    """Say where it is, show it, and say how the models come along."""
    typer.echo(f"studio     {server.url}   (Ctrl-C ends it)")
    threading.Thread(target=_tell, args=[server, service], daemon=True).start()
    if browser and _has_screen() and any(entry.wait_for_weights() for entry in service.models.entries.values()):
        webbrowser.open(server.url)


def _tell(server: Server, service: StudioService) -> None:
    """A line for each model that is ready or failed; the end, if all have."""
    for entry in service.models.entries.values():
        entry.wait()
        if entry.info.error:
            typer.echo(f"failed     {entry.name}: {entry.info.error}", err=True)
        else:
            typer.echo(f"ready      {entry.name}")
    if service.models.failed:
        server.stop()


def _has_screen() -> bool:
    """Whether a browser that is opened is not one in this terminal."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
