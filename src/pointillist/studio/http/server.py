"""HTTP server of the studio: one port of this machine, in the foreground, in a thread, or next to a training run.

Next to a training run it has its own process: the steps share neither its threads nor its interpreter.
"""

from __future__ import annotations

import asyncio
import ipaddress
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from pointillist.errors import ConfigError, MissingExtraError
from pointillist.studio.http.app import LOOPBACK, create_app
from pointillist.studio.service import StudioService

USUAL_PORT = 8414
"""Port of a studio where it is free: a browser keeps work by address, port included."""

_START_TIMEOUT = 30.0  # seconds until a server must listen
_REQUEST_TIMEOUT = 20.0  # seconds until the first request of a connection must have begun


def bind(host: str, port: int) -> socket.socket:
    """Bind a socket; port 0 chooses a free port.

    Raises:
        ConfigError: if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ConfigError(
            f"The server cannot listen at {host}, port {port} ({_reason(error)}): leave `port` out to use a free one."
        ) from error
    return bound


def _reason(error: Exception) -> str:
    """Return the words of the system for an error, without its number."""
    text = getattr(error, "strerror", None) or str(error)
    return f"{text[:1].lower()}{text[1:]}"


def usual_port(host: str) -> int:
    """Return the usual port if it is free, else 0, for any."""
    try:
        bind(host, USUAL_PORT).close()
    except ConfigError:
        return 0
    return USUAL_PORT


def is_loopback(host: str) -> bool:
    """Return true if only this machine can reach a server at `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"


def application(service: StudioService, host: str, *, framed: bool = False) -> FastAPI:
    if is_loopback(host):
        return create_app(service, LOOPBACK | {host}, framed=framed)
    names = {host.lower(), socket.gethostname().lower(), *LOOPBACK}
    return create_app(service, frozenset(names), any_address=True)


class IdleTimeoutProtocol(H11Protocol):
    """HTTP/1.1 that closes connections on which no request arrives, and has no WebSockets."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_REQUEST_TIMEOUT, self._close_unused)

    def _unsupported_upgrade_warning(self) -> None:
        """Answer a request for a WebSocket like any other; uvicorn would print which libraries to install."""

    def _close_unused(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class Server:
    """A server that runs until it is closed.

    Args:
        service: models and jobs.
        host: address to listen at.
        port: 0 chooses a free port.
        framed: whether a notebook of this machine may show the page in a frame.

    Attributes:
        url: address for a browser.
    """

    def __init__(self, service: StudioService, host: str = "127.0.0.1", port: int = 0, *, framed: bool = False) -> None:
        self.service = service
        self._socket = bind(host, port)
        self.url: str = url_of(host, self._socket.getsockname()[1])
        config = uvicorn.Config(
            application(service, host, framed=framed),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            lifespan="on",
            ws="none",
            http=IdleTimeoutProtocol,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self, on_started: Callable[[], None] = lambda: None) -> None:
        """Serve until Ctrl-C; call `on_started` once the server listens."""
        threading.Thread(target=self._notify, args=[on_started], daemon=True).start()
        try:
            self._server.run([self._socket])
        finally:
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread.

        Raises:
            ConfigError: if the server does not start.
        """
        # signals belong to the main thread, which goes on
        self._thread = threading.Thread(target=self._server.run, args=[[self._socket]], name="studio", daemon=True)
        self._thread.start()
        if not self._wait():
            raise ConfigError("The studio did not start: see its messages in the terminal.")

    def stop(self) -> None:
        """Make `run` return soon."""
        self._server.should_exit = True

    def close(self) -> None:
        """Stop the server and cancel its jobs."""
        self.service.close()  # first, so that streams end by themselves
        self.stop()
        if self._thread is not None:
            self._thread.join(10)
        self._socket.close()

    def _wait(self) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._server.started and time.monotonic() < deadline:
            if self._thread is not None and not self._thread.is_alive():
                return False
            time.sleep(0.01)
        return self._server.started

    def _notify(self, on_started: Callable[[], None]) -> None:
        if self._wait():
            on_started()


_HOST = "127.0.0.1"
_NICE = 15  # the training goes first where there are not cores enough for both


@contextmanager
def studio_beside(run: Path) -> Iterator[str]:
    """Watch a training run on a local page within a block.

    ```python
    with studio_beside(Path("runs/digits")) as url:
        pt.train(model, digits, {"out": "runs/digits"})
    ```

    Args:
        run: folder of the run, which may not exist yet.

    Yields:
        The address of the page.

    Raises:
        MissingExtraError: if the studio is not installed.
        ConfigError: if it does not start.
    """
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise MissingExtraError("The studio", "studio")
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_serve, args=(str(run), sender), name="studio", daemon=True)
    process.start()
    sender.close()  # ours: the pipe ends with the process
    try:
        try:
            url = receiver.recv()
        except EOFError:
            raise ConfigError("The studio did not start: see its message above, or train without it.") from None
        yield url
    finally:
        process.terminate()
        process.join()


def _serve(run: str, sender: Connection) -> None:
    """Serve until the process that started this one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which saves and then ends the studio
    if hasattr(os, "nice"):
        os.nice(_NICE)
    import torch

    from pointillist.studio.service import StudioService

    torch.set_num_threads(1)
    server = Server(StudioService([], run=Path(run), threads=1), _HOST, usual_port(_HOST))
    server.start()
    sender.send(server.url)
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
