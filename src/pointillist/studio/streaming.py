"""The stream of a painting: events from a worker's thread to a connection, and the end of the work when it closes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pointillist.studio import messages as m
from pointillist.studio.desk import Listen
from pointillist.studio.planning import Plan
from pointillist.studio.room import Room

TYPE = "application/x-ndjson"
_LOOK = 0.1  # seconds between looks whether the other side is still there


def stream(room: Room, painting: Plan, request: Request) -> StreamingResponse:
    """Hand the painting in, and answer with its events, one a line.

    Raises:
        Refused: if the queue is full.
    """
    waiting: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
    job = room.paint(painting, _listener(waiting))
    return _Stream(_lines(waiting, request), lambda: room.desk.stop(job.name))


class _Stream(StreamingResponse):
    """An answer whose work is told to end with it, also where nobody was there for its first line."""

    def __init__(self, lines: AsyncIterator[bytes], stop: Callable[[], object]) -> None:
        super().__init__(lines, media_type=TYPE)
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stop()


@asynccontextmanager
async def hanging_up(request: Request) -> AsyncIterator[threading.Event]:
    """An event that is set, within the block, as soon as the other side is gone."""
    gone = threading.Event()

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK)
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        watching.cancel()


def _listener(waiting: asyncio.Queue[tuple[bytes, bool]]) -> Listen:
    loop = asyncio.get_running_loop()

    def listen(event: m.Queued | m.Started | m.Pixels | m.Finished | m.Failed) -> None:
        line = event.model_dump_json().encode() + b"\n"  # by the worker, not by the loop that serves all
        if not loop.is_closed():
            loop.call_soon_threadsafe(waiting.put_nowait, (line, isinstance(event, m.Finished | m.Failed)))

    return listen


async def _lines(waiting: asyncio.Queue[tuple[bytes, bool]], request: Request) -> AsyncIterator[bytes]:
    looked = time.monotonic()
    while True:
        if time.monotonic() - looked > _LOOK:
            if await request.is_disconnected():
                return
            looked = time.monotonic()
        try:
            line, last = await asyncio.wait_for(waiting.get(), _LOOK)
        except TimeoutError:
            continue
        yield line
        if last:
            return
