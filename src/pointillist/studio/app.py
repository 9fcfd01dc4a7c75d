"""The studio as an ASGI application: routes, the page, and every fault as one sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException

from pointillist._version import __version__
from pointillist.errors import PointillistError
from pointillist.studio import messages as m
from pointillist.studio.guard import LOOPBACK, Guard
from pointillist.studio.refusals import Refused
from pointillist.studio.room import Room
from pointillist.studio.routes import router
from pointillist.studio.streaming import TYPE

PAGE = files("pointillist.studio").joinpath("page")
_CODES = {404: "missing", 405: "method"}
_NO_JSON = "The body is not JSON that can be read: send one object, as UTF-8."


def create_app(room: Room, hosts: frozenset[str] = LOOPBACK, *, any_address: bool = False) -> FastAPI:
    """The application.

    Args:
        room: its models; they begin to load when the server starts.
        hosts, any_address: see `Guard`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        room.shelf.start()
        yield
        room.close()

    app = FastAPI(
        title="Pointillist studio", version=__version__, lifespan=lifespan, openapi_url="/api/openapi.json",
        docs_url=None, redoc_url=None,  # their scripts come from other hosts
    )  # fmt: skip
    app.state.room = room
    app.include_router(router)
    page = str(PAGE)

    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(f"{page}/index.html")

    app.mount("/page", StaticFiles(directory=page), name="page")
    _answer_faults(app)
    app.add_middleware(Guard, hosts=hosts, body_bytes=room.limits.body_bytes, any_address=any_address)
    _describe_events(app)
    return app


def _answer_faults(app: FastAPI) -> None:
    """Every fault as one sentence, never a traceback."""

    @app.exception_handler(PointillistError)
    async def known(request: Request, error: PointillistError) -> Response:
        if isinstance(error, Refused):
            headers = None if error.retry is None else {"Retry-After": str(error.retry)}
            return JSONResponse(error.fault.body(), error.status, headers=headers)
        return _fault(400, "invalid", str(error))

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        return _fault(422, "message", _sentence(error))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # FastAPI's own, of a body that broke its reader
            return _fault(422, "message", _NO_JSON)
        what = f"{request.method} {request.url.path[:200]}"
        said = {
            404: f"There is nothing at {what}.",
            405: f"{what} is no way to ask: the address takes another method.",
        }
        sentence = said.get(error.status_code, str(error.detail))
        return _fault(error.status_code, _CODES.get(error.status_code, "invalid"), sentence, error.headers)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        return _fault(500, "internal", f"The studio failed ({type(error).__name__}): its terminal says more.")


def _fault(status: int, code: str, sentence: str, headers: Any = None) -> Response:
    return JSONResponse(m.Fault(error=sentence, code=code).body(), status, headers=headers)


def _sentence(error: RequestValidationError) -> str:
    fault = error.errors()[0]
    if fault["type"] == "json_invalid":
        return _NO_JSON
    where = ".".join(str(part) for part in fault["loc"] if part not in ("body", "query", "path")) or "the body"
    message = str(fault["msg"])
    message = message.removeprefix("Value error, ")
    return f"`{where}` is not valid: {message[0].lower()}{message[1:]}."


def _describe_events(app: FastAPI) -> None:
    """Put the events of the stream into the description, which FastAPI cannot find by itself."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = plain()
            ways: Any = TypeAdapter(m.Event).json_schema(
                ref_template="#/components/schemas/{model}", mode="serialization"
            )
            for name, schema in ways.pop("$defs").items():
                found["components"]["schemas"].setdefault(name, schema)
            answer = found["paths"]["/api/models/{model}/paint"]["post"]["responses"]["200"]
            answer["content"] = {TYPE: {"schema": {"type": "string", "description": "One event a line."}}}
            found["components"]["schemas"]["Event"] = ways
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
