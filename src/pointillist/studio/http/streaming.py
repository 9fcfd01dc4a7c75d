"""Event streams: events from a worker thread to a connection; closing the connection cancels the job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pointillist.studio import schemas
from pointillist.studio.job_queue import AnyEvent, EventHandler
from pointillist.studio.jobs import SamplingJob
from pointillist.studio.service import StudioService

MEDIA_TYPE = "application/x-ndjson"
_POLL_INTERVAL = 0.1  # seconds between checks whether the client is still connected

Line = tuple[bytes, bool]
"""A line of the stream, and whether it is the last."""


class EventStream(Response):
    """The events of a job, one per line; the job is cancelled when the client leaves, even before the first line.

    Lines that wait are sent together: the thread that samples waits for the lock of the interpreter meanwhile.

    Raises:
        RequestError: if the queue is full.
    """

    media_type = MEDIA_TYPE

    def __init__(self, service: StudioService, job: SamplingJob) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._queue = service.queue
        self._entry = service.submit(job, _event_handler(self._lines))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watching = asyncio.create_task(self._watch(receive))
        try:
            with suppress(OSError):  # the client has left
                await self._send(send)
        finally:
            watching.cancel()
            self._queue.cancel(self._entry.id)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        is_last = False
        while not is_last:
            lines, is_last = await self._lines.get()
            while not self._lines.empty():
                further, is_last = self._lines.get_nowait()
                lines += further
            await send({"type": "http.response.body", "body": lines, "more_body": not is_last})

    async def _watch(self, receive: Receive) -> None:
        """End the stream as soon as the client disconnects."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._lines.put_nowait((b"", True))


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


def _event_handler(lines: asyncio.Queue[Line]) -> EventHandler:
    loop = asyncio.get_running_loop()

    def on_event(event: AnyEvent) -> None:
        line = event.model_dump_json().encode() + b"\n"  # in the worker, not in the loop that serves all clients
        if not loop.is_closed():
            is_last = isinstance(event, schemas.Finished | schemas.Failed)
            loop.call_soon_threadsafe(lines.put_nowait, (line, is_last))

    return on_event
