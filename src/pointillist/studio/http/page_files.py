"""The page in four files: its text, all scripts and all styles, each joined for the first who asks, and its icon."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

from fastapi import APIRouter, Request, Response

from pointillist.studio.page_text import PAGE, page_text, script_text, style_text
from pointillist.visualization.scripts import SHARED

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
