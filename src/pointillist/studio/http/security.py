"""Security middleware: allowed hosts and origins, size of requests, and security headers of responses."""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pointillist.studio.errors import RequestError, too_large

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NOTEBOOKS = "http://localhost:* http://127.0.0.1:*"  # of this machine, by TLS too
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::\d{1,5})?")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


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
        self, app: ASGIApp, hosts: frozenset[str], body_bytes: int, *, any_address: bool = False, framed: bool = False
    ) -> None:
        self._app, self._hosts, self._any, self._bytes = app, hosts, any_address, body_bytes
        ancestors = f"'self' {_NOTEBOOKS}" if framed else "'self'"
        self._headers = {**_HEADERS, "content-security-policy": f"{_POLICY}; frame-ancestors {ancestors}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        headers = Headers(scope=scope)
        try:
            self._check_origin(headers, scope["path"])
            body = await self._body(headers, Request(scope, receive))
        except RequestError as error:
            await JSONResponse(error.response.body(), error.status)(scope, receive, secured)
        except ClientDisconnect:
            return
        else:
            await self._app(scope, _replayed(body, receive), secured)

    def _check_origin(self, headers: Headers, path: str) -> None:
        host = headers.get("host", "").lower()
        if not self._is_host_of_server(host):
            raise RequestError(421, "host", f"`Host` (={host[:100]!r}) is not a name of this server: use its own.")
        origin = headers.get("origin", "").lower()
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            raise RequestError(
                403, "origin", f"`Origin` (={origin[:100]!r}) is another page, which may not use this server."
            )
        if path.startswith("/api/") and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise RequestError(403, "origin", "The request comes from another page, which may not use this server.")

    def _is_host_of_server(self, host: str) -> bool:
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

    async def _body(self, headers: Headers, request: Request) -> bytes:
        """Read the whole body, which is small; raise as soon as it is too large."""
        announced = headers.get("content-length", "0")
        size, body = int(announced) if announced.isdecimal() else 0, bytearray()
        if size <= self._bytes:
            async for chunk in request.stream():
                body += chunk
                size = len(body)
                if size > self._bytes:
                    break
            else:
                return bytes(body)
        raise too_large("Bytes of the request", size, self._bytes, "send less")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read already, then further messages."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay
