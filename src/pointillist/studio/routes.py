"""The addresses of the studio; docs/studio_api.md says how they go together."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from pointillist._version import __version__
from pointillist.studio import asking, bringing, keeping
from pointillist.studio import messages as m
from pointillist.studio.refusals import Refused
from pointillist.studio.room import Room
from pointillist.studio.streaming import hanging_up, stream

Model = Annotated[str, Path(max_length=200, description="The `id` of a model in `Hello`.")]
Side = Annotated[int | None, Query(ge=1, le=4096)]

_FAULTS = {
    400: "A value that the model refuses.",
    403: "The request comes from another page.",
    404: "No such model or painting.",
    413: "Over a limit of `Hello.limits`.",
    421: "`Host` is not a name of the server.",
    422: "The body is not the message that belongs here.",
    429: "As many paintings wait as may.",
    503: "The model is not ready.",
}
FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": m.Fault, "description": text} for status, text in _FAULTS.items()
}
router = APIRouter(prefix="/api", responses=FAULTS)


def _room(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


def _json(message: m.Message) -> Response:
    # as it is: it was checked when it was made
    return Response(message.model_dump_json(), media_type="application/json")


@router.get("/hello", response_model=m.Hello, summary="The studio and its models")
def hello(request: Request) -> Response:
    """Version, limits, and how far each model is."""
    room = _room(request)
    return _json(m.Hello(version=__version__, limits=room.limits, models=room.shelf.infos()))


@router.post(
    "/models/{model}/paint", summary="Paint", response_class=StreamingResponse,
    responses={200: {"description": "Events, one a line.", "content": {"application/x-ndjson": {}}}},
)  # fmt: skip
async def paint(model: Model, body: m.PaintRequest, request: Request) -> Response:
    """A stream of events: queued, started, pixels many times, and finished or failed."""
    room = _room(request)
    painting = await run_in_threadpool(room.plan, model, body)
    return stream(room, painting, request)


@router.delete("/paintings/{painting}", status_code=204, summary="Stop a painting")
def stop(painting: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """By the name that its first event told."""
    if not _room(request).desk.stop(painting):
        raise Refused(404, "missing", f"There is no painting {painting[:100]!r} at work: it may be finished.")
    return Response(status_code=204)


@router.post("/models/{model}/score", response_model=m.Maps, summary="An image in bits")
def score(model: Model, body: m.ImageQuestion, request: Request) -> Response:
    """Maps of entropy and surprise, and totals."""
    return _json(_room(request).ask(model, asking.score, body))


@router.post("/models/{model}/pixel", response_model=m.PixelAnswer, summary="The distributions of a pixel")
def pixel(model: Model, body: m.PixelQuestion, request: Request) -> Response:
    """Of each channel, given all sub-pixels before it."""
    return _json(_room(request).ask(model, asking.pixel, body))


@router.post("/models/{model}/look", response_model=m.Look, summary="What a pixel looked at")
def look(model: Model, body: m.LookQuestion, request: Request) -> Response:
    """The gradient of its log-probability on every sub-pixel before it."""
    return _json(_room(request).ask(model, asking.look, body))


@router.post("/models/{model}/change", response_model=m.ChangeAnswer, summary="What if")
def change(model: Model, body: m.ChangeQuestion, request: Request) -> Response:
    """What it costs to set sub-pixels to other levels, and which distributions move."""
    return _json(_room(request).ask(model, asking.change, body))


_PICTURE = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
    }
}


@router.post(
    "/models/{model}/picture", response_model=m.Picture, summary="Bring a picture", openapi_extra=_PICTURE,
    responses={409: {"model": m.Fault, "description": "Of another size: what is offered."},
               415: {"model": m.Fault, "description": "No picture that can be read."}},
)  # fmt: skip
async def picture(
    model: Model,
    request: Request,
    role: Annotated[bringing.Role, Query()] = "image",
    height: Side = None,
    width: Side = None,
    resize: Annotated[bringing.Resize, Query()] = "no",
    fit: Annotated[bringing.Fit, Query()] = "crop",
) -> Response:
    """The bytes of a file, in the levels of the model."""
    if (height is None) != (width is None):
        raise Refused(400, "invalid", "`height` and `width` go together: give both or neither.")
    size = None if height is None or width is None else (height, width)
    wish, body = bringing.Wish(role, size, resize, fit), await request.body()
    read = lambda loaded, asked, limits: bringing.picture(loaded, body, asked, limits)  # noqa: E731
    return _json(await run_in_threadpool(_room(request).make, model, read, wish))


@router.post(
    "/models/{model}/png", summary="Keep an image", response_class=Response,
    responses={200: {"description": "The file.", "content": {"image/png": {}}}},
)  # fmt: skip
def png(model: Model, body: m.PngRequest, request: Request) -> Response:
    """As a PNG file, exact or enlarged."""
    return Response(_room(request).make(model, keeping.png, body), media_type="image/png")


@router.post(
    "/models/{model}/gif", summary="Keep a painting", response_class=Response,
    responses={200: {"description": "The file.", "content": {"image/gif": {}}}},
)  # fmt: skip
def gif(model: Model, body: m.GifRequest, request: Request) -> Response:
    """As a GIF of how it was painted."""
    return Response(_room(request).make(model, keeping.gif, body), media_type="image/gif")


@router.post("/models/{model}/repaint", response_model=m.Repainted, summary="Paint a recipe again")
async def repaint(model: Model, body: m.RepaintRequest, request: Request) -> Response:
    """And say whether it is the same to the bit."""
    async with hanging_up(request) as gone:
        return _json(await run_in_threadpool(_room(request).repaint, model, body.recipe, gone.is_set))
