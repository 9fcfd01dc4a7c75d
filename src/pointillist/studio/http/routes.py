"""HTTP routes of the studio; docs/reference/studio_api.md explains how they work together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any, get_type_hints

from anyio import from_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pointillist.studio import schemas
from pointillist.studio.answers import queries
from pointillist.studio.answers.queries import tiles
from pointillist.studio.answers.training_run import RunWatcher
from pointillist.studio.errors import RequestError
from pointillist.studio.http import pictures
from pointillist.studio.job_queue import AnyEvent, EventHandler
from pointillist.studio.jobs import SamplingJob
from pointillist.studio.service import StudioService
from pointillist.system import __version__

Line = tuple[bytes, bool]
"""A line of the stream, and whether it is the last."""


class EventStream(StreamingResponse):
    """The events of a job, one per line; the job is cancelled when the client leaves, even before the first line.

    Lines that wait are sent together: the thread that samples waits for the lock of the interpreter meanwhile.

    Raises:
        RequestError: if the queue is full.
    """

    media_type = "application/x-ndjson"

    def __init__(self, service: StudioService, job: SamplingJob) -> None:
        lines: asyncio.Queue[Line] = asyncio.Queue()
        self._queue = service.queue
        self._entry = service.submit(job, _event_handler(lines))
        super().__init__(_joined(lines))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._queue.cancel(self._entry.id)


async def _joined(queue: asyncio.Queue[Line]) -> AsyncIterator[bytes]:
    """Yield the lines that wait, until the last."""
    is_last = False
    while not is_last:
        lines, is_last = await queue.get()
        while not queue.empty():
            further, is_last = queue.get_nowait()
            lines += further
        yield lines


def _event_handler(lines: asyncio.Queue[Line]) -> EventHandler:
    loop = asyncio.get_running_loop()

    def on_event(event: AnyEvent) -> None:
        # in the worker, not in the loop that serves all clients
        line = event.model_dump_json(by_alias=True).encode() + b"\n"
        if not loop.is_closed():
            is_last = isinstance(event, schemas.Finished | schemas.Failed)
            loop.call_soon_threadsafe(lines.put_nowait, (line, is_last))

    return on_event


def _service(request: Request) -> StudioService:
    service: StudioService = request.app.state.service
    return service


Service = Annotated[StudioService, Depends(_service)]
Model = Annotated[str, Path(max_length=200, description="The `id` of a model in `ServerInfo`.")]

_ERRORS = {
    400: "A value that the model does not support.",
    403: "The request comes from another page.",
    404: "No such model or job.",
    409: "A picture of another size: the resize methods.",
    413: "Over a limit of `ServerInfo.limits`.",
    415: "Not a readable picture.",
    421: "`Host` is not a name of the server.",
    422: "The body does not match the schema.",
    429: "The queue is full.",
    503: "The model is not ready.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorResponse, "description": text} for status, text in _ERRORS.items()
}
router: APIRouter = APIRouter(prefix="/api", responses=RESPONSES)


def _json(message: schemas.Schema) -> Response:
    # without validation: the message was validated when it was made
    return Response(message.model_dump_json(by_alias=True), media_type="application/json")


@router.get("/info", response_model=schemas.ServerInfo, summary="The studio and its models")
def info(service: Service) -> Response:
    """Return version, limits, and the state of each model."""
    name = None if service.watcher is None else service.watcher.run.name
    return _json(
        schemas.ServerInfo(version=__version__, limits=service.limits, models=service.models.infos(), run=name)
    )


def _watcher(service: Service) -> RunWatcher:
    """Return the watcher of the run.

    Raises:
        RequestError: if the studio watches none.
    """
    if service.watcher is None:
        raise RequestError(404, "not_found", "The studio watches no training run: start it with `run`.")
    return service.watcher


Watcher = Annotated[RunWatcher, Depends(_watcher)]


def _file(media_type: str) -> dict[str, Any]:
    content = {"description": "The file.", "content": {media_type: {}}}
    return {"response_class": Response, "responses": {200: content}}


@router.get("/run", response_model=schemas.RunState, summary="The training run")
def run(watcher: Watcher) -> Response:
    """Read the curves, the sample sheets and the checkpoint of the training run that the studio watches."""
    return _json(watcher.state())


@router.get("/run/sheets/{step}", summary="A sample sheet of the run", **_file("image/png"))
def sheet(step: Annotated[int, Path(ge=0, lt=10**15)], watcher: Watcher) -> Response:
    """Return the sample sheet that the run has written at a step."""
    return FileResponse(watcher.run.sheet(step), media_type="image/png")


@router.post(
    "/models/{model}/sample",
    summary="Sample images",
    response_class=Response,  # an error is JSON: the class of a stream would describe it as one
    responses={
        200: {"description": "Events, one per line.", "model": schemas.Event, "content": {EventStream.media_type: {}}}
    },
)
async def sample(model: Model, body: schemas.SampleRequest, service: Service) -> Response:
    """Stream events, one per line: queued, started, pixels many times, and finished or failed."""
    return EventStream(service, await run_in_threadpool(service.make_job, model, body))


def _left(request: Request) -> Callable[[], bool]:
    """Return a function, for the thread of a handler, that says whether the client has left."""
    return partial(from_thread.run, request.is_disconnected)


@router.post("/models/{model}/fill", response_model=schemas.FillResult, summary="Fill the hole of an image")
def fill(model: Model, body: schemas.FillRequest, service: Service, request: Request) -> Response:
    """Draw candidates for the unknown pixels of an image given the known ones."""
    return _json(service.fill(model, body, _left(request)))


@router.post("/models/{model}/reproduce", response_model=schemas.ReproduceResult, summary="Reproduce a manifest")
def reproduce(model: Model, body: schemas.ReproduceRequest, service: Service, request: Request) -> Response:
    """Sample the images of a manifest again, and report whether they are identical to the bit."""
    return _json(service.reproduce(model, body.manifest, _left(request)))


@router.delete("/jobs/{job}", status_code=204, summary="Cancel a job")
def cancel(job: Annotated[str, Path(max_length=200)], service: Service) -> Response:
    """Cancel a job by the id in its first event."""
    if not service.queue.cancel(job):
        raise RequestError(404, "not_found", f"There is no job {job[:100]!r} in the queue: it may be finished.")
    return Response(status_code=204)


@router.post("/models/{model}/field", response_model=schemas.FieldReach, summary="The receptive field of a pixel")
def field(model: Model, body: schemas.FieldQuery, service: Service) -> Response:
    """Measure the pixels on which a pixel can depend; the first time this takes seconds."""
    return _json(service.field(model, body))


def _add(path: str, summary: str, handler: Callable[..., Any], media_type: str | None = None) -> None:
    """Add the address of a handler of a model, a message and limits, whose types and description it takes.

    Args:
        path: last part of the address.
        summary: a few words for the description of the interface.
        handler: a query that returns a message; with a media type, a conversion to the bytes of a file.
        media_type: media type of the file; None for a message.
    """

    def answer(model: Model, body: Any, service: Service) -> Response:
        if media_type is None:
            return _json(service.query(model, handler, body))
        return Response(service.convert(model, handler, body), media_type=media_type)

    _, message, _, result = get_type_hints(handler).values()
    answer.__annotations__["body"], answer.__doc__ = message, handler.__doc__
    kind: dict[str, Any] = {"response_model": result} if media_type is None else _file(media_type)
    router.post(f"/models/{{model}}/{path}", summary=summary, **kind)(answer)


_add("score", "An image in bits", queries.score)
_add("words", "The words of a prompt", queries.words)
_add("prompt", "A prompt as it is read", queries.prompt)
_add("pixel", "The distributions of a pixel", queries.pixel)
_add("saliency", "The saliency map of a pixel", queries.saliency)
_add("edit", "The effect of edits", queries.edit)
_add("layers", "An image, layer by layer", queries.layers)
_add("activation", "An activation", queries.activation)
_add("world", "A part of an endless map", tiles)
_add("png", "Export an image", pictures.png, "image/png")
_add("map", "Export a map", pictures.map_archive, "application/zip")

_BINARY = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")}


@router.post(
    "/models/{model}/upload",
    response_model=schemas.UploadedImage,
    summary="Upload a picture",
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
)
async def upload_picture(
    model: Model, options: Annotated[pictures.UploadOptions, Query()], service: Service, request: Request
) -> Response:
    """Convert the bytes of a picture file to the levels of the model."""
    read = partial(pictures.read_upload, await request.body())
    return _json(await run_in_threadpool(service.convert, model, read, options))
