"""The studio on the network: one port of this machine, in the foreground or in a thread."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from pointillist.errors import ConfigError
from pointillist.studio.app import create_app
from pointillist.studio.guard import LOOPBACK
from pointillist.studio.room import Room

_START = 30.0  # seconds that a server may take until it listens


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free.

    Raises:
        ConfigError: if it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except (OSError, OverflowError) as error:
        found.close()
        raise ConfigError(
            f"Nothing can listen at {host}, port {port} ({error}): leave `--port` out for one that is free."
        ) from error
    return found


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(host: str, port: int) -> str:
    """Where a browser finds it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"


def application(room: Room, host: str) -> FastAPI:
    """The application for a server at `host`."""
    if is_loopback(host):
        return create_app(room, LOOPBACK | {host})
    names = {host.lower(), socket.gethostname().lower(), *LOOPBACK}
    return create_app(room, frozenset(names), any_address=True)


class Server:
    """A server that runs until it is closed.

    Attributes:
        url: where it is.
    """

    def __init__(self, room: Room, host: str = "127.0.0.1", port: int = 0) -> None:
        self.room = room
        self._socket = listen(host, port)
        self.url = address(host, self._socket.getsockname()[1])
        config = uvicorn.Config(
            application(room, host), log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=2, lifespan="on", ws="none",
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until Ctrl-C; `started` is called once it listens."""
        threading.Thread(target=self._tell, args=[started], daemon=True).start()
        try:
            self._server.run([self._socket])
        finally:
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread.

        Raises:
            ConfigError: if it does not start.
        """
        # signals are the main thread's, which goes on
        self._thread = threading.Thread(target=self._server.run, args=[[self._socket]], name="studio", daemon=True)
        self._thread.start()
        if not self._wait():
            raise ConfigError("The studio did not start: see what it wrote on the terminal.")

    def end(self) -> None:
        """Let `run` return, soon."""
        self._server.should_exit = True

    def close(self) -> None:
        """End it, and everything that it paints."""
        self.room.close()  # first, so that streams end by themselves
        self.end()
        if self._thread is not None:
            self._thread.join(10)
        self._socket.close()

    def _wait(self) -> bool:
        until = time.monotonic() + _START
        while not self._server.started and time.monotonic() < until:
            if self._thread is not None and not self._thread.is_alive():
                return False
            time.sleep(0.01)
        return self._server.started

    def _tell(self, started: Callable[[], None]) -> None:
        if self._wait():
            started()
