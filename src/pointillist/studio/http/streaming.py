"""Event streams: events from a worker thread to a connection; closing the connection cancels the job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pointillist.studio import schemas
from pointillist.studio.job_queue import AnyEvent, EventHandler
from pointillist.studio.jobs import SamplingJob
from pointillist.studio.service import StudioService

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
        line = event.model_dump_json().encode() + b"\n"  # in the worker, not in the loop that serves all clients
        if not loop.is_closed():
            is_last = isinstance(event, schemas.Finished | schemas.Failed)
            loop.call_soon_threadsafe(lines.put_nowait, (line, is_last))

    return on_event
