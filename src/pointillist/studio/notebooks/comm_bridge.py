"""A bridge from a notebook's comm to an ASGI application, so that the studio needs no port.

The page sends `request` (`id`, `method`, `address`, `content_type`, and the body as a buffer) and `cancel` (`id`). The
bridge sends `accepted` at once, then `head` (`status`, `content_type`), any number of `chunk`, each with one buffer,
and `end`; or `error` if there is no response. After `cancel` no further message is required.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from pointillist.studio.http.security import App, Message

LOG = logging.getLogger("pointillist.studio")
_CLOSE_TIMEOUT = 10.0  # seconds for open responses to end

SendMessage = Callable[[dict[str, Any], list[bytes]], None]


class CommBridge:
    """Forwards requests to an application, which runs in its own thread and handles several at once.

    Args:
        app: the application; its lifespan is not managed.
        send: sends a message with its buffers to the page, from any thread.
    """

    def __init__(self, app: App, send: SendMessage) -> None:
        self._app, self._send = app, send
        self._cancelled: dict[str, asyncio.Event] = {}  # by request; used in the loop's thread only
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="studio bridge", daemon=True)
        self._thread.start()

    def receive(self, message: dict[str, Any], buffers: Sequence[bytes | memoryview] = ()) -> None:
        """Handle a message of the page, in any thread; return at once. Unknown messages are ignored."""
        id_, kind = message.get("id"), message.get("type")
        if not isinstance(id_, str) or self._loop.is_closed():
            return
        if kind == "cancel":
            self._loop.call_soon_threadsafe(self._cancel, id_)
        elif kind == "request":
            self._send({"type": "accepted", "id": id_}, [])
            body = bytes(buffers[0]) if buffers else b""
            self._loop.call_soon_threadsafe(self._start, id_, message, body)

    def close(self) -> None:
        """End all responses, and the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_CLOSE_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_TIMEOUT)
        self._loop.close()

    def _start(self, id_: str, message: dict[str, Any], body: bytes) -> None:
        task = self._loop.create_task(self._respond(id_, message, body))
        self._tasks.add(task)  # the loop alone would let it be collected
        task.add_done_callback(self._tasks.discard)

    def _cancel(self, id_: str) -> None:
        if id_ in self._cancelled:
            self._cancelled[id_].set()

    async def _end(self) -> None:
        for cancelled in self._cancelled.values():
            cancelled.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT / 2)

    async def _respond(self, id_: str, message: dict[str, Any], body: bytes) -> None:
        cancelled = self._cancelled[id_] = asyncio.Event()
        last = "error"
        unread = [body]

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await cancelled.wait()
            return {"type": "http.disconnect"}

        async def send(event: Message) -> None:
            nonlocal last
            if event["type"] == "http.response.start":
                headers = {key.lower(): value for key, value in event.get("headers", [])}
                content_type = headers.get(b"content-type", b"").decode("latin-1")
                self._send({"type": "head", "id": id_, "status": event["status"], "content_type": content_type}, [])
                return
            if event.get("body"):
                self._send({"type": "chunk", "id": id_}, [event["body"]])
            if not event.get("more_body"):
                last = "end"

        try:
            await self._app(_scope(message), receive, send)
        except Exception as error:
            LOG.error("a request failed", exc_info=error)
        finally:
            del self._cancelled[id_]
            self._send({"type": last, "id": id_}, [])


def _scope(message: dict[str, Any]) -> dict[str, Any]:
    """Convert a request to an ASGI scope, as if it came from the page on this machine."""
    path, _, query = str(message.get("address", "")).partition("?")
    content_type = str(message.get("content_type", "")).encode("latin-1", "replace")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": str(message.get("method", "GET")).upper(),
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "client": None,
        "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), *([(b"content-type", content_type)] if content_type else [])],
    }
