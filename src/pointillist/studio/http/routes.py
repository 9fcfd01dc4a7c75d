"""HTTP routes of the studio; docs/reference/studio_api.md explains how they work together."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from pointillist.studio import schemas
from pointillist.studio.answers import inside, queries
from pointillist.studio.answers.training_run import RunWatcher
from pointillist.studio.errors import RequestError
from pointillist.studio.http import export, upload
from pointillist.studio.http.streaming import EventStream, disconnect_event
from pointillist.studio.service import StudioService
from pointillist.system import __version__

Model = Annotated[str, Path(max_length=200, description="The `id` of a model in `ServerInfo`.")]
Side = Annotated[int | None, Query(ge=1, le=4096)]

_ERRORS = {
    400: "A value that the model does not support.",
    403: "The request comes from another page.",
    404: "No such model or job.",
    413: "Over a limit of `ServerInfo.limits`.",
    421: "`Host` is not a name of the server.",
    422: "The body does not match the schema.",
    429: "The queue is full.",
    503: "The model is not ready.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorResponse, "description": text} for status, text in _ERRORS.items()
}
router: APIRouter = APIRouter(prefix="/api", responses=RESPONSES)


def _service(request: Request) -> StudioService:
    service: StudioService = request.app.state.service
    return service


def _json(message: schemas.Schema) -> Response:
    # without validation: the message was validated when it was made
    return Response(message.model_dump_json(), media_type="application/json")


@router.get("/info", response_model=schemas.ServerInfo, summary="The studio and its models")
def info(request: Request) -> Response:
    """Return version, limits, and the state of each model."""
    service = _service(request)
    name = None if service.watcher is None else service.watcher.run.name[:500]
    models = service.infos()
    return _json(schemas.ServerInfo(version=__version__, limits=service.limits, models=models, run=name))


def _watcher(request: Request) -> RunWatcher:
    """Return the watcher of the run.

    Raises:
        RequestError: if the studio watches none.
    """
    watcher = _service(request).watcher
    if watcher is None:
        raise RequestError(404, "not_found", "The studio watches no training run: start it with `run`.")
    return watcher


@router.get("/run", response_model=schemas.RunState, summary="The training run")
def run(request: Request) -> Response:
    """Read the curves, the sample sheets and the checkpoint of the training run that the studio watches."""
    return _json(_watcher(request).state())


@router.get(
    "/run/sheets/{step}",
    summary="A sample sheet of the run",
    response_class=FileResponse,
    responses={200: {"description": "The file.", "content": {"image/png": {}}}},
)
def sheet(step: Annotated[int, Path(ge=0, lt=10**15)], request: Request) -> Response:
    """Return the sample sheet that the run has written at a step."""
    return FileResponse(_watcher(request).run.sheet(step), media_type="image/png")


@router.post(
    "/models/{model}/sample",
    summary="Sample images",
    response_class=Response,
    responses={200: {"description": "Events, one per line.", "content": {"application/x-ndjson": {}}}},
)
async def sample(model: Model, body: schemas.SampleRequest, request: Request) -> Response:
    """Stream events: queued, started, pixels many times, and finished or failed."""
    service = _service(request)
    job = await run_in_threadpool(service.make_job, model, body)
    return EventStream(service, job)


@router.post("/models/{model}/fill", response_model=schemas.FillResult, summary="Fill the hole of an image")
async def fill(model: Model, body: schemas.FillRequest, request: Request) -> Response:
    """Draw candidates for the unknown pixels of an image given the known ones."""
    async with disconnect_event(request) as disconnected:
        result = await run_in_threadpool(_service(request).fill, model, body, disconnected.is_set)
    return _json(result)


@router.delete("/jobs/{job}", status_code=204, summary="Cancel a job")
def cancel(job: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """Cancel a job by the id in its first event."""
    if not _service(request).queue.cancel(job):
        raise RequestError(404, "not_found", f"There is no job {job[:100]!r} in the queue: it may be finished.")
    return Response(status_code=204)


@router.post("/models/{model}/score", response_model=schemas.ScoreMaps, summary="An image in bits")
def score(model: Model, body: schemas.CanvasQuery, request: Request) -> Response:
    """Compute maps of entropy and surprisal, and totals."""
    return _json(_service(request).query(model, queries.score, body))


@router.post("/models/{model}/words", response_model=schemas.WordMaps, summary="The words of a prompt")
def words(model: Model, body: schemas.WordQuery, request: Request) -> Response:
    """Compute the bits that each word of the prompt saves at each pixel, or a word against another; a pass for each."""
    return _json(_service(request).query(model, queries.words, body))


@router.post("/models/{model}/pixel", response_model=schemas.PixelDistribution, summary="The distributions of a pixel")
def pixel(model: Model, body: schemas.PixelQuery, request: Request) -> Response:
    """Compute the distribution of each channel, given all sub-pixels before it."""
    return _json(_service(request).query(model, queries.pixel, body))


@router.post("/models/{model}/saliency", response_model=schemas.Saliency, summary="The saliency map of a pixel")
def saliency(model: Model, body: schemas.SaliencyQuery, request: Request) -> Response:
    """Compute the gradient of a pixel's log-probability with respect to every sub-pixel before it."""
    return _json(_service(request).query(model, queries.saliency, body))


@router.post("/models/{model}/edit", response_model=schemas.EditEffect, summary="The effect of edits")
def edit(model: Model, body: schemas.EditQuery, request: Request) -> Response:
    """Compute the change in bits if sub-pixels are set to other levels, and the shift of later distributions."""
    return _json(_service(request).query(model, queries.edit, body))


@router.post("/models/{model}/field", response_model=schemas.FieldReach, summary="The receptive field of a pixel")
def field(model: Model, body: schemas.FieldQuery, request: Request) -> Response:
    """Measure the pixels on which a pixel can depend; the first time this takes seconds."""
    return _json(_service(request).field(model, body))


@router.post("/models/{model}/world", response_model=schemas.WorldTiles, summary="A part of an endless map")
def world(model: Model, body: schemas.WorldQuery, request: Request) -> Response:
    """Draw a rectangle of an endless map, which its seed and its place determine."""
    service = _service(request)
    return _json(service.convert(model, service.worlds.tiles, body))


@router.post("/models/{model}/layers", response_model=schemas.LayerReadings, summary="An image, layer by layer")
def layers(model: Model, body: schemas.CanvasQuery, request: Request) -> Response:
    """Read the output head after each layer, with the later layers left out."""
    return _json(_service(request).query(model, inside.layers, body))


@router.post("/models/{model}/activation", response_model=schemas.ActivationMap, summary="An activation")
def activation(model: Model, body: schemas.ActivationQuery, request: Request) -> Response:
    """Compute the size of one of the network's activations at each pixel."""
    return _json(_service(request).query(model, inside.activation, body))


@router.post("/models/{model}/anomaly", response_model=schemas.AnomalyMap, summary="An image against normal images")
def anomaly(model: Model, body: schemas.AnomalyQuery, request: Request) -> Response:
    """Judge an image by the anomaly detector of the model; 404 with code `no_detector` without one."""
    return _json(_service(request).score_anomaly(model, body))


_PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
    }
}


@router.post(
    "/models/{model}/upload",
    response_model=schemas.UploadedImage,
    summary="Upload a picture",
    openapi_extra=_PICTURE_BODY,
    responses={
        409: {"model": schemas.ErrorResponse, "description": "Of another size: the resize methods."},
        415: {"model": schemas.ErrorResponse, "description": "Not a readable picture."},
    },
)
async def upload_picture(
    model: Model,
    request: Request,
    role: Annotated[upload.Role, Query()] = "image",
    height: Side = None,
    width: Side = None,
    resize: Annotated[upload.Resize, Query()] = "no",
    fit: Annotated[upload.Fit, Query()] = "crop",
    source: Annotated[upload.Source, Query()] = "auto",
) -> Response:
    """Convert the bytes of a picture file to the levels of the model."""
    if (height is None) != (width is None):
        raise RequestError(400, "invalid", "`height` and `width` go together: give both or neither.")
    size = None if height is None or width is None else (height, width)
    body = await request.body()

    def read(loaded: Any, options: upload.UploadOptions, limits: schemas.Limits) -> schemas.UploadedImage:
        return upload.read_upload(loaded, body, options, limits)

    options = upload.UploadOptions(role, size, resize, fit, source)
    return _json(await run_in_threadpool(_service(request).convert, model, read, options))


@router.post(
    "/models/{model}/png",
    summary="Export an image",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {"image/png": {}}}},
)
def png(model: Model, body: schemas.PngRequest, request: Request) -> Response:
    """Export an image as a PNG file, exact or enlarged."""
    return Response(_service(request).convert(model, export.png, body), media_type="image/png")


@router.post(
    "/models/{model}/map",
    summary="Export a map",
    response_class=Response,
    responses={200: {"description": "The files.", "content": {"application/zip": {}}}},
)
def map_archive(model: Model, body: schemas.MapRequest, request: Request) -> Response:
    """Export a map for Tiled, as CSV or as text, in a ZIP file with its tileset or legend."""
    return Response(_service(request).convert(model, export.map_archive, body), media_type="application/zip")


@router.post(
    "/models/{model}/gif",
    summary="Export an animation",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {"image/gif": {}}}},
)
def gif(model: Model, body: schemas.GifRequest, request: Request) -> Response:
    """Export the generation of images as a GIF file."""
    return Response(_service(request).convert(model, export.gif, body), media_type="image/gif")


@router.post("/models/{model}/reproduce", response_model=schemas.ReproduceResult, summary="Reproduce a manifest")
async def reproduce(model: Model, body: schemas.ReproduceRequest, request: Request) -> Response:
    """Sample the images of a manifest again, and report whether they are identical to the bit."""
    async with disconnect_event(request) as disconnected:
        result = await run_in_threadpool(_service(request).reproduce, model, body.manifest, disconnected.is_set)
    return _json(result)
