"""Connections on which nothing arrives are closed; those at work stay."""

from __future__ import annotations

import socket
import time

import pytest

from pointillist.studio.http import server as home
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends nothing, and one that sends half a request; a whole request is answered."""
    monkeypatch.setattr(home, "_REQUEST_TIMEOUT", 0.5)
    server = Server(StudioService([]))
    server.start()
    address = ("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2]))
    try:
        for sent in (b"", b"GET /api/info HTTP/1.1\r\nHost: 127"):
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(sent)
                started = time.monotonic()
                assert connection.recv(1) == b""  # closed by the server
                assert time.monotonic() - started < 20
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(b"GET /api/info HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert connection.recv(15).startswith(b"HTTP/1.1 200")
    finally:
        server.close()


def test_a_web_socket_is_answered_like_any_request(capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing is printed about libraries to install."""
    server = Server(StudioService([]))
    server.start()
    address = ("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2]))
    headers = "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    try:
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(f"GET /socket HTTP/1.1\r\n{headers}\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 404"
    finally:
        server.close()
    assert "WebSocket" not in "".join(capfd.readouterr())
