"""What every request passes: from where it may come, how large it may be, and what a browser may do with the answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pointillist.studio.refusals import Refused, too_large

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OWN = "'self'"


class Guard:
    """Middleware around the whole studio.

    Args:
        hosts: the names that it goes by, in lower case, without port.
        any_address: whether any numeric address is one of them too: for a server on all interfaces. A page that means
            harm can point a name of its own at us, but not an address.
        body_bytes: of a request.
    """

    def __init__(self, app: App, hosts: frozenset[str], body_bytes: int, *, any_address: bool = False) -> None:
        self._app, self._hosts, self._any, self._bytes = app, hosts, any_address, body_bytes
        policy = {
            "default-src": "'none'", "script-src": _OWN, "style-src": _OWN, "font-src": _OWN, "connect-src": _OWN,
            "img-src": f"{_OWN} data: blob:", "manifest-src": _OWN, "worker-src": _OWN, "base-uri": "'none'",
            "form-action": "'none'", "frame-ancestors": _OWN,
        }  # fmt: skip
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
        guarded = self._sender(send)
        try:
            self._check_origin(scope)
            body = await self._body(scope, receive)
        except Refused as refused:
            await _answer(guarded, refused)
            return
        await self._app(scope, _replayed(body, receive), guarded)

    def _sender(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        return guarded

    def _check_origin(self, scope: Scope) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        if not self._is_ours(host):
            raise Refused(421, "host", f"`Host` (={host[:100]!r}) is not a name of this server: open it by its own.")
        origin = headers.get("origin", "").lower()
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            raise Refused(403, "origin", f"`Origin` (={origin[:100]!r}) is another page, which may not use this one.")
        if scope["path"].startswith("/api/") and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused(403, "origin", "The request comes from another page, which may not use this one.")

    def _is_ours(self, host: str) -> bool:
        name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name in self._hosts:
            return True
        try:
            return self._any and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, which is small; refused as soon as it is too large."""
        promised = dict(scope["headers"]).get(b"content-length", b"0")
        if promised.isdigit() and int(promised) > self._bytes:
            raise self._too_large(int(promised))
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b""  # it hung up: the app will see that too
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._bytes:
                raise self._too_large(size)
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_large(self, size: int) -> Refused:
        return too_large("Bytes of the request", size, self._bytes, "send less")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, once; then whatever comes."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


async def _answer(send: Send, refused: Refused) -> None:
    body = refused.fault.model_dump_json(exclude_none=True).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
