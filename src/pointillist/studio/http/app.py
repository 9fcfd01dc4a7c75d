"""The studio as an ASGI application: routes, security, every error as one sentence, and the page in four files."""

from __future__ import annotations

import gzip
import ipaddress
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pointillist.errors import PointillistError
from pointillist.images.visualization.html import SHARED
from pointillist.studio import schemas
from pointillist.studio.errors import NOT_JSON, RequestError, sentence, too_large
from pointillist.studio.export.page import PAGE, page_text, script_text, style_text
from pointillist.studio.http.routes import router
from pointillist.studio.service import StudioService
from pointillist.system import __version__

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


_CODES = {404: "not_found", 405: "method"}


def create_app(
    service: StudioService, hosts: frozenset[str] = LOOPBACK, *, any_address: bool = False, framed: bool = False
) -> FastAPI:
    """Make the application.

    Args:
        service: its models, which begin to load when the server starts.
        hosts, any_address, framed: see `SecurityMiddleware`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    app = FastAPI(
        title="Pointillist studio",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,  # their scripts come from other hosts
    )
    app.state.service = service
    app.include_router(router)
    app.include_router(page_router())
    _handle_errors(app)
    limit = service.limits.body_bytes
    app.add_middleware(SecurityMiddleware, hosts=hosts, body_bytes=limit, any_address=any_address, framed=framed)
    return app


def _handle_errors(app: FastAPI) -> None:
    """Answer every error with one sentence, never with a traceback."""

    @app.exception_handler(PointillistError)
    async def on_known_error(request: Request, error: PointillistError) -> Response:
        if isinstance(error, RequestError):
            headers = None if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return JSONResponse(error.response.body(), error.status, headers=headers)
        return _error(400, "invalid", str(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid_body(request: Request, error: RequestValidationError) -> Response:
        return _error(422, "validation", sentence(error.errors(), error.body))

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # FastAPI's own, for a body that broke its reader
            return _error(422, "validation", NOT_JSON)
        target = f"{request.method} {request.url.path[:200]}"
        sentences = {
            404: f"There is nothing at {target}.",
            405: f"{target} is not supported: the address takes another method.",
        }
        sentence = sentences.get(error.status_code, str(error.detail))
        return _error(error.status_code, _CODES.get(error.status_code, "invalid"), sentence, error.headers)

    @app.exception_handler(Exception)
    async def on_internal_error(request: Request, error: Exception) -> Response:
        return _error(500, "internal", f"The studio failed ({type(error).__name__}): its terminal says more.")


def _error(status: int, code: str, sentence: str, headers: Any = None) -> Response:
    return JSONResponse(schemas.ErrorResponse(error=sentence, code=code).body(), status, headers=headers)


FILES: dict[str, tuple[str, Callable[[], str]]] = {
    "/": ("text/html", partial(page_text, "index.html")),
    "/page/main.js": ("text/javascript", partial(script_text, "main.js")),
    "/page/style.css": ("text/css", style_text),
    "/page/icon.svg": ("image/svg+xml", partial(page_text, "icon.svg")),
}
"""Media type and text of each address."""


def page_router() -> APIRouter:
    """Return the routes of the page, which are not part of the described interface."""
    router = APIRouter(include_in_schema=False)
    for address, (media_type, _) in FILES.items():
        router.add_api_route(address, _handler(address, media_type), methods=["GET", "HEAD"])
    return router


def _handler(address: str, media_type: str) -> Callable[[Request], Response]:
    """Return a handler that answers with a file, compressed for a client that takes it."""

    def answer(request: Request) -> Response:
        compressed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if compressed else {})
        return Response(_body(address, compressed, _changed()), media_type=media_type, headers=headers)

    return answer


def _changed() -> float:
    """Return when a file of the page was changed last: an edited page needs a reload, and not a build."""
    return max(path.stat().st_mtime for folder in (PAGE, SHARED) for path in Path(str(folder)).rglob("*"))


@lru_cache(maxsize=2 * len(FILES))
def _body(address: str, compressed: bool, changed: float) -> bytes:
    """Return the bytes of a file as they are since a time."""
    body = FILES[address][1]().encode()
    return gzip.compress(body, 6) if compressed else body
