"""The studio without a port: an ASGI application that is asked by messages, as those of a notebook's comm.

A page sends `ask` (`id`, `method`, `address`, `content_type`, and the body as a buffer) and `stop` (`id`). It is told
`heard` at once, then `head` (`status`, `content_type`), any number of `part`, each with one buffer, and `end`; or
`broken`, where there is no answer. After a `stop` nothing more need come.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from pointillist.studio.guard import App, Message

LOG = logging.getLogger("pointillist.studio")
_CLOSE = 10.0  # seconds that answers may take to end

Tell = Callable[[dict[str, Any], list[bytes]], None]


class Bridge:
    """Carries requests to an application that runs in a thread of its own, so that several are answered at once.

    Args:
        app: the application; its life cycle is not managed.
        tell: sends a message with its buffers to the page, from any thread.
    """

    def __init__(self, app: App, tell: Tell) -> None:
        self._app, self._tell = app, tell
        self._asked: dict[str, asyncio.Event] = {}  # of the loop's thread; set: the page no longer wants it
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="studio bridge", daemon=True)
        self._thread.start()

    def hear(self, message: dict[str, Any], buffers: Sequence[bytes | memoryview] = ()) -> None:
        """A message of the page, in any thread; returns at once. What is no such message is not answered."""
        name, kind = message.get("id"), message.get("type")
        if not isinstance(name, str) or self._loop.is_closed():
            return
        if kind == "stop":
            self._loop.call_soon_threadsafe(self._stop, name)
        elif kind == "ask":
            self._tell({"type": "heard", "id": name}, [])
            body = bytes(buffers[0]) if buffers else b""
            self._loop.call_soon_threadsafe(self._ask, name, message, body)

    def close(self) -> None:
        """End all answers, and the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_CLOSE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE)
        self._loop.close()

    def _ask(self, name: str, message: dict[str, Any], body: bytes) -> None:
        task = self._loop.create_task(self._answer(name, message, body))
        self._tasks.add(task)  # the loop alone would let it be collected
        task.add_done_callback(self._tasks.discard)

    def _stop(self, name: str) -> None:
        if name in self._asked:
            self._asked[name].set()

    async def _end(self) -> None:
        for gone in self._asked.values():
            gone.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE / 2)

    async def _answer(self, name: str, message: dict[str, Any], body: bytes) -> None:
        gone = self._asked[name] = asyncio.Event()
        last = "broken"
        waiting = [body]

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(event: Message) -> None:
            nonlocal last
            if event["type"] == "http.response.start":
                headers = {key.lower(): value for key, value in event.get("headers", [])}
                content_type = headers.get(b"content-type", b"").decode("latin-1")
                self._tell({"type": "head", "id": name, "status": event["status"], "content_type": content_type}, [])
                return
            if event.get("body"):
                self._tell({"type": "part", "id": name}, [event["body"]])
            if not event.get("more_body"):
                last = "end"

        try:
            await self._app(_scope(message), receive, send)
        except Exception as error:
            LOG.error("a request failed", exc_info=error)
        finally:
            del self._asked[name]
            self._tell({"type": last, "id": name}, [])


def _scope(message: dict[str, Any]) -> dict[str, Any]:
    """A request as ASGI describes it: from this machine, and from the page itself."""
    path, _, query = str(message.get("address", "")).partition("?")
    content_type = str(message.get("content_type", "")).encode("latin-1", "replace")
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
        "method": str(message.get("method", "GET")).upper(), "path": unquote(path), "raw_path": path.encode(),
        "query_string": query.encode(), "root_path": "", "client": None, "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), *([(b"content-type", content_type)] if content_type else [])],
    }  # fmt: skip
