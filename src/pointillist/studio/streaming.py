"""Event streams: events from a worker thread to a connection; closing the connection cancels the job."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pointillist.studio import schemas
from pointillist.studio.job_queue import AnyEvent, EventHandler
from pointillist.studio.jobs import SamplingJob
from pointillist.studio.service import StudioService

MEDIA_TYPE = "application/x-ndjson"
_POLL_INTERVAL = 0.1  # seconds between checks whether the client is still connected


def stream_job(service: StudioService, job: SamplingJob, request: Request) -> StreamingResponse:
    """Submit a job, and respond with its events, one per line.

    Raises:
        RequestError: if the queue is full.
    """
    lines: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
    entry = service.submit(job, _event_handler(lines))
    return _CancellingResponse(_read_lines(lines, request), lambda: service.queue.cancel(entry.id))


class _CancellingResponse(StreamingResponse):
    """A stream that cancels its job when it ends, even if the client left before the first line."""

    def __init__(self, lines: AsyncIterator[bytes], cancel: Callable[[], object]) -> None:
        super().__init__(lines, media_type=MEDIA_TYPE)
        self._cancel = cancel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._cancel()


@asynccontextmanager
async def disconnect_event(request: Request) -> AsyncIterator[threading.Event]:
    """Yield an event that is set, within the block, as soon as the client disconnects."""
    disconnected = threading.Event()

    async def poll() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(_POLL_INTERVAL)
        disconnected.set()

    polling = asyncio.create_task(poll())
    try:
        yield disconnected
    finally:
        polling.cancel()


def _event_handler(lines: asyncio.Queue[tuple[bytes, bool]]) -> EventHandler:
    loop = asyncio.get_running_loop()

    def on_event(event: AnyEvent) -> None:
        line = event.model_dump_json().encode() + b"\n"  # in the worker, not in the loop that serves all clients
        if not loop.is_closed():
            is_last = isinstance(event, schemas.Finished | schemas.Failed)
            loop.call_soon_threadsafe(lines.put_nowait, (line, is_last))

    return on_event


async def _read_lines(lines: asyncio.Queue[tuple[bytes, bool]], request: Request) -> AsyncIterator[bytes]:
    polled = time.monotonic()
    while True:
        if time.monotonic() - polled > _POLL_INTERVAL:
            if await request.is_disconnected():
                return
            polled = time.monotonic()
        try:
            line, is_last = await asyncio.wait_for(lines.get(), _POLL_INTERVAL)
        except TimeoutError:
            continue
        yield line
        if is_last:
            return
