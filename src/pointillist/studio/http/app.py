"""The studio as an ASGI application: routes, every error as one sentence, and the page in four files."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pointillist.errors import PointillistError
from pointillist.images.visualization.html import SHARED
from pointillist.studio import schemas
from pointillist.studio.errors import NOT_JSON, RequestError, sentence
from pointillist.studio.export.page import PAGE, page_text, script_text, style_text
from pointillist.studio.http.routes import router
from pointillist.studio.http.security import LOOPBACK, SecurityMiddleware
from pointillist.studio.service import StudioService
from pointillist.system import __version__

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
