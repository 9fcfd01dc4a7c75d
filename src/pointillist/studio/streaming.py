"""The stream of a painting: events from a worker's thread to a connection, and the end of the work when it closes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import StreamingResponse

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
    return StreamingResponse(_lines(room, job.name, waiting, request), media_type=TYPE)


def _listener(waiting: asyncio.Queue[tuple[bytes, bool]]) -> Listen:
    loop = asyncio.get_running_loop()

    def listen(event: m.Queued | m.Started | m.Pixels | m.Finished | m.Failed) -> None:
        line = event.model_dump_json().encode() + b"\n"  # by the worker, not by the loop that serves all
        if not loop.is_closed():
            loop.call_soon_threadsafe(waiting.put_nowait, (line, isinstance(event, m.Finished | m.Failed)))

    return listen


async def _lines(
    room: Room, name: str, waiting: asyncio.Queue[tuple[bytes, bool]], request: Request
) -> AsyncIterator[bytes]:
    looked = time.monotonic()
    try:
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
    finally:
        room.desk.stop(name)
