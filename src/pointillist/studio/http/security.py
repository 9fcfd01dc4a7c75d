"""Security middleware: allowed hosts and origins, size of requests, and security headers of responses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pointillist.studio.errors import RequestError, too_large

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SELF = "'self'"
_NOTEBOOKS = "http://localhost:* http://127.0.0.1:*"  # of this machine, by TLS too
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::\d{1,5})?")


class SecurityMiddleware:
    """ASGI middleware around the whole studio.

    Args:
        app: the application to protect.
        hosts: host names of the server, in lower case, without port.
        any_address: whether to accept any numeric address as well, for a server on all interfaces. A malicious page can
            point its own host name at this server (DNS rebinding), but not an address.
        body_bytes: the largest size of a request.
        framed: whether pages of other servers of this machine, such as a notebook, may show the studio in a frame.
    """

    def __init__(
        self, app: App, hosts: frozenset[str], body_bytes: int, *, any_address: bool = False, framed: bool = False
    ) -> None:
        self._app, self._hosts, self._any, self._bytes = app, hosts, any_address, body_bytes
        policy = {
            "default-src": "'none'",
            "script-src": _SELF,
            "style-src": _SELF,
            "font-src": _SELF,
            "connect-src": _SELF,
            "img-src": f"{_SELF} data: blob:",
            "manifest-src": _SELF,
            "worker-src": _SELF,
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": f"{_SELF} {_NOTEBOOKS}" if framed else _SELF,
        }
        self._headers = [
            (b"content-security-policy", "; ".join(f"{k} {v}" for k, v in policy.items()).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        secured = self._sender(send)
        try:
            self._check_origin(scope)
            body = await self._body(scope, receive)
        except RequestError as error:
            await _respond(secured, error)
            return
        await self._app(scope, _replayed(body, receive), secured)

    def _sender(self, send: Send) -> Send:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        return secured

    def _check_origin(self, scope: Scope) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        if not self._is_own_host(host):
            raise RequestError(421, "host", f"`Host` (={host[:100]!r}) is not a name of this server: use its own.")
        origin = headers.get("origin", "").lower()
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            raise RequestError(
                403, "origin", f"`Origin` (={origin[:100]!r}) is another page, which may not use this server."
            )
        if scope["path"].startswith("/api/") and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise RequestError(403, "origin", "The request comes from another page, which may not use this server.")

    def _is_own_host(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["address"] or match["name"]
        if name in self._hosts:
            return True
        try:
            return self._any and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the whole body, which is small; raise as soon as it is too large."""
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._bytes:
            raise self._too_large(int(announced))
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b""  # the client disconnected: the app will see that too
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._bytes:
                raise self._too_large(size)
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_large(self, size: int) -> RequestError:
        return too_large("Bytes of the request", size, self._bytes, "send less")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read already, then further messages."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


async def _respond(send: Send, error: RequestError) -> None:
    body = error.response.model_dump_json(exclude_none=True).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
