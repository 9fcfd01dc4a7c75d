"""The studio over a comm: an application answers as it does over HTTP, several requests at once."""

from __future__ import annotations

import asyncio
import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.errors import ConfigError, MissingExtraError
from pointillist.studio.http.app import create_app
from pointillist.studio.http.security import App, Message, Receive, Scope, Send
from pointillist.studio.job_queue import QueueEntry
from pointillist.studio.notebooks.comm_bridge import CommBridge
from pointillist.studio.service import StudioService
from tests.studio.helpers import events, labelled

SECONDS = 30


class Page:
    """The other side: sends requests, and collects messages."""

    def __init__(self, app: App) -> None:
        self._messages: queue.Queue[tuple[dict[str, Any], list[bytes]]] = queue.Queue()
        self.bridge = CommBridge(app, lambda message, buffers: self._messages.put((message, buffers)))

    def request(self, name: str, method: str, address: str, body: bytes | None = None) -> None:
        """Send a request."""
        head = {"method": method, "address": address, "content_type": "application/json"}
        message = {"type": "request", "id": name, **head}
        self.bridge.receive(message, [] if body is None else [memoryview(body)])

    def next(self) -> tuple[dict[str, Any], list[bytes]]:
        """The next message."""
        return self._messages.get(timeout=SECONDS)

    def answer(self, name: str, come: int = 0, then: Callable[[], None] = lambda: None) -> tuple[int, list[bytes]]:
        """The status and the parts of the one answer that comes, in their order; `then` follows `come` messages."""
        found = [self.next() for _ in range(come)]
        then()
        found.append(self.next())
        while found[-1][0]["type"] not in ("end", "error"):
            found.append(self.next())
        assert {message["id"] for message, _ in found} == {name}
        assert [message["type"] for message, _ in found] == ["accepted", "head", *["chunk"] * (len(found) - 3), "end"]
        return found[1][0]["status"], [buffer for _, buffers in found for buffer in buffers]


@pytest.fixture
def page(service: StudioService) -> Iterator[Page]:
    """The studio's own application."""
    found = Page(create_app(service))
    yield found
    found.bridge.close()


def test_answers_are_those_of_http(page: Page, client: TestClient) -> None:
    """Those to a query, an error and an invalid request."""
    conditions = {"label": "dog"}
    samples = [{"seed": 3, "conditions": conditions}]
    painting = client.post("/api/models/gated-pixelcnn/sample", json={"samples": samples})
    last = events(painting.text)[-1]
    assert last["type"] == "finished", last
    image = last["images"][0]["levels"]
    questions: list[tuple[str, str, Any]] = [
        ("GET", "/api/info", None),
        ("POST", "/api/models/gated-pixelcnn/score", {"levels": image, "conditions": conditions}),
        ("POST", "/api/models/gated-pixelcnn/upload?role=image&resize=area", {"no": "picture"}),
        ("POST", "/api/models/nobody/score", {"levels": image}),
        ("DELETE", "/api/jobs/none", None),
    ]
    for number, (method, address, content) in enumerate(questions):
        body = None if content is None else json.dumps(content).encode()
        page.request(str(number), method, address, body)
        status, parts = page.answer(str(number))
        expected = client.request(method, address, content=body, headers={"content-type": "application/json"})
        assert (status, json.loads(b"".join(parts))) == (expected.status_code, expected.json())


def test_a_painting_comes_as_it_is_made(page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same image as over HTTP, and no event waits for the last: here sampling waits for the first to arrive."""
    body = {"samples": [{"seed": 5}]}
    arrived, plain = threading.Event(), QueueEntry.begin

    def begin(entry: QueueEntry) -> None:
        assert arrived.wait(SECONDS)
        plain(entry)

    monkeypatch.setattr(QueueEntry, "begin", begin)
    page.request("one", "POST", "/api/models/gated-pixelcnn/sample", json.dumps(body).encode())
    status, parts = page.answer("one", come=3, then=arrived.set)  # accepted, the head, and the first event
    assert status == 200
    assert [event["type"] for event in events(parts[0].decode())] == ["queued"]
    streamed = events(b"".join(parts).decode())
    assert streamed[-1]["type"] == "finished", streamed[-1]
    expected = events(client.post("/api/models/gated-pixelcnn/sample", json=body).text)
    assert streamed[-1]["images"] == expected[-1]["images"]
    assert [event["type"] for event in streamed] == ["queued", "started", *["pixels"] * (len(streamed) - 3), "finished"]


@settings(max_examples=30, deadline=None)
@given(
    body=st.binary(max_size=200),
    path=st.text("abc xyz/%é", max_size=20),
    query=st.text("ab=&%20?", max_size=20),
)
def test_bytes_arrive_as_they_were_sent(body: bytes, path: str, query: str) -> None:
    """Body, path and query of a request, and the body of its answer."""
    seen: list[Scope] = []

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    page = Page(echo)
    try:
        page.request("x", "PUT", f"/{path.replace('%', '%25')}?{query}", body)
        assert page.answer("x") == (299, [body] if body else [])
    finally:
        page.bridge.close()
    assert (seen[0]["method"], seen[0]["path"], seen[0]["query_string"]) == ("PUT", f"/{path}", query.encode())


def test_several_are_answered_at_once_and_one_can_be_stopped() -> None:
    """The second is answered while the first is at work; the first learns that nobody waits for it any more."""
    ended = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/x")]})
        if scope["path"] == "/endless":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            event = await receive()
            assert event["type"] == "http.disconnect"
            ended.set()
        else:
            await send({"type": "http.response.body", "body": b"short"})

    page = Page(app)
    page.request("long", "GET", "/endless")
    assert [page.next()[0]["type"] for _ in range(3)] == ["accepted", "head", "chunk"]
    page.request("short", "GET", "/")
    assert page.answer("short") == (200, [b"short"])
    assert not ended.is_set()
    page.bridge.receive({"type": "cancel", "id": "long"})
    assert ended.wait(SECONDS)
    page.bridge.close()


def test_an_error_of_the_application_is_a_response_too(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for ever, and the log says what it was; later requests are answered."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("out of paint")

    page = Page(app)
    page.request("a", "GET", "/")
    assert [page.next()[0]["type"] for _ in range(2)] == ["accepted", "error"]
    assert "out of paint" in caplog.text
    page.bridge.receive({"type": "cancel"})
    page.bridge.receive({"id": 3})
    page.request("b", "GET", "/")
    assert [page.next()[0]["type"] for _ in range(2)] == ["accepted", "error"]
    page.bridge.close()


def test_closing_ends_what_is_at_work() -> None:
    """The application learns of it, the thread ends, and what is asked later is left alone."""
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        seen.append(await receive())
        await asyncio.sleep(0.01)

    page = Page(app)
    page.request("a", "GET", "/")
    assert page.next()[0]["type"] == "accepted"
    page.bridge.close()
    assert [event["type"] for event in seen] == ["http.disconnect"]
    page.bridge.close()
    page.request("b", "GET", "/")
    assert "studio bridge" not in {thread.name for thread in threading.enumerate()}


def test_a_studio_shows_itself_and_ends() -> None:
    """As a widget, whose models load at once; afterwards nothing of it is left."""
    pytest.importorskip("anywidget")
    with pt.Studio(labelled(), height=500) as studio:
        data, _ = studio._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == studio.widget.model_id
        assert repr(studio) == "Studio(gated-pixelcnn)"
        assert studio.widget.height == 500
        studio.wait(60)
        assert "studio bridge" in {thread.name for thread in threading.enumerate()}
    assert "studio bridge" not in {thread.name for thread in threading.enumerate()}


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model, or the extra."""
    with pytest.raises(ConfigError, match="at least one model"):
        pt.Studio()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "pointillist.studio.notebooks.widget", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[notebook\]'"):
        pt.Studio(labelled())
