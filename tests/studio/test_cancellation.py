"""The end of work: what nobody waits for stops, what takes too long is ended, what finds a full queue is refused."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.job_queue import QueueEntry
from pointillist.studio.schemas import Limits
from pointillist.studio.service import StudioService
from tests.studio.helpers import SMALL, decoded, grey, images, labelled
from tests.tolerances import rounding

SIDE = 64  # of a painting that takes long: 64 rows
LONG = {"samples": [{"seed": 0}], "size": [SIDE, SIDE], "engine": "numpy"}


class Watch:
    """Counts the rows that painters report."""

    def __init__(self) -> None:
        self.rows = 0

    def spy(self, monkeypatch: pytest.MonkeyPatch, pause: float = 0.02) -> None:
        """Every row takes `pause` seconds longer, so that a painting lasts above a second on any environment."""
        plain = QueueEntry.check

        def check(job: QueueEntry) -> None:
            self.rows += 1
            time.sleep(pause)
            plain(job)

        monkeypatch.setattr(QueueEntry, "check", check)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    found = Watch()
    found.spy(monkeypatch)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Over a real socket, with two models."""
    with_models = Server(StudioService([grey(), labelled()], SMALL))
    with_models.start()
    with_models.service.models.wait(600)
    yield with_models
    with_models.close()


class Browser:
    """A painting as a browser sees it: events as they come, and a connection that can be closed."""

    def __init__(self, server: Server, request: dict[str, Any], model: str = "pixelcnn-pp") -> None:
        host, port = server.url.removeprefix("http://").rstrip("/").split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)
        body, headers = json.dumps(request), {"content-type": "application/json"}
        self.connection.request("POST", f"/api/models/{model}/sample", body, headers)
        self.answer = self.connection.getresponse()

    def next(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.answer.readline())
        return found

    def until(self, *kinds: str) -> dict[str, Any]:
        """The next event of such a kind."""
        while True:
            event = self.next()
            if event["type"] in kinds:
                return event

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def delete(server: Server, name: str) -> int:
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("DELETE", f"/api/jobs/{name}")
    status = connection.getresponse().status
    connection.close()
    return status


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> float:
    """How long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not come to an end"
        time.sleep(0.005)
    return time.monotonic() - began


def assert_still(watch: Watch) -> None:
    """No painter goes on, and it had not come to its end."""
    rows = watch.rows
    assert rows < SIDE - 10
    time.sleep(0.15)
    assert watch.rows == rows


def test_delete_stops_the_work(server: Server, watch: Watch) -> None:
    """Within a row; the stream says so; it is gone afterwards."""
    browser = Browser(server, LONG)
    name = browser.next()["job"]
    browser.until("pixels")
    assert delete(server, name) == 204
    last = browser.until("failed", "finished")
    assert last == {"type": "failed", "error": "The painting was stopped.", "code": "cancelled"}
    assert browser.answer.readline() == b""
    wait_until(lambda: len(server.service.queue) == 0)
    assert_still(watch)
    assert delete(server, name) == 404
    browser.close()


def test_closing_the_connection_stops_the_work(server: Server, watch: Watch) -> None:
    """As closing the tab does; the painter's thread ends within half a second."""
    browser = Browser(server, LONG)
    browser.until("pixels")
    browser.close()
    assert wait_until(lambda: len(server.service.queue) == 0) < 1.0
    assert_still(watch)


def test_a_reproduction_that_nobody_waits_for_stops(server: Server, watch: Watch) -> None:
    """The same for a manifest, which has no stream."""
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    environment = {"processor": "", "pointillist": "", "torch": "", "numpy": ""}
    kept = {"model": {"name": "", "sha256": ""}, "environment": environment, "request": LONG, "sha256": ["0" * 64]}
    headers = {"content-type": "application/json"}
    connection.request("POST", "/api/models/pixelcnn-pp/reproduce", json.dumps({"manifest": kept}), headers)
    wait_until(lambda: watch.rows > 2)
    connection.close()
    wait_until(lambda: len(server.service.queue) == 0)
    assert_still(watch)


def test_a_full_queue_says_when_to_come_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 with Retry-After; a painting that waits can be stopped, and then there is a free slot."""
    watch = Watch()
    watch.spy(monkeypatch, pause=0.2)  # none may end before all are sent, on any environment
    browsers = [Browser(server, LONG) for _ in range(SMALL.concurrent + SMALL.queued)]
    queued = [browser.next() for browser in browsers]
    assert [event["ahead"] for event in queued] == [0, 0, 1, 2]
    refused = Browser(server, LONG)
    assert refused.answer.status == 429
    assert int(refused.answer.headers["retry-after"]) >= 1
    assert refused.next()["code"] == "queue"
    assert delete(server, queued[3]["job"]) == 204
    assert browsers[3].next()["code"] == "cancelled"  # it never began
    wait_until(lambda: len(server.service.queue) == 3)
    late = Browser(server, LONG)
    assert late.next()["type"] == "queued"
    for browser in (*browsers, refused, late):
        browser.close()
    wait_until(lambda: len(server.service.queue) == 0)
    assert_still(watch)


def test_a_painting_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the limit."""
    Watch().spy(monkeypatch)
    service = StudioService([grey()], SMALL.model_copy(update={"timeout": 0.3}))
    server = Server(service)
    server.start()
    service.models.wait(600)
    try:
        browser = Browser(server, LONG)
        began = time.monotonic()
        last = browser.until("failed", "finished")
        assert (last["type"], last["code"]) == ("failed", "timeout")
        assert "longer than the limit of 0.3 s" in last["error"]
        assert time.monotonic() - began < 2
        browser.close()
    finally:
        server.close()


def test_two_sessions_share_a_model_and_do_not_mix(server: Server) -> None:
    """Painted at the same time, each is the image of its own seed, settings and label."""
    service = server.service
    wanted = [
        ("pixelcnn-pp", {"samples": [{"seed": s}], "temperature": t, "size": [12, 12]})
        for s, t in ((1, 1.0), (2, 0.5), (3, 1.0))
    ]
    wanted += [
        ("gated-pixelcnn", {"samples": [{"seed": 4, "conditions": {"label": label}}], "size": [10, 10]})
        for label in ("cat", "dog")
    ]
    found: dict[int, np.ndarray] = {}

    def session(number: int, name: str, request: dict[str, Any]) -> None:
        browser = Browser(server, request, name)
        found[number] = images(browser.until("finished", "failed"))
        browser.close()

    for together in (wanted[:3], wanted[3:], wanted[1:4]):
        found.clear()
        threads = [threading.Thread(target=session, args=[i, *one]) for i, one in enumerate(together)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for number, (name, request) in enumerate(together):
            canvas = request["samples"][0]
            expected = pt.sample(
                service.models[name].model, 1, seed=canvas["seed"], size=tuple(request["size"]),
                temperature=request.get("temperature", 1.0), label=canvas.get("conditions", {}).get("label"),
            )  # fmt: skip
            np.testing.assert_array_equal(found[number], expected.levels)


def test_queries_are_answered_during_a_job(server: Server, watch: Watch) -> None:
    """A distribution does not wait for a painting."""
    browser = Browser(server, LONG)
    pixels = browser.until("pixels")
    assert decoded(pixels["levels"]).shape[0] == 1
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    levels = {"dtype": "uint8", "shape": [1, 6, 6], "data": "A" * 48}
    body = json.dumps({"levels": levels, "row": 3, "column": 3})
    connection.request("POST", "/api/models/pixelcnn-pp/pixel", body, {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    probs = answer["channels"][0]["probs"]
    assert sum(probs) == pytest.approx(1, abs=rounding(1.0, terms=len(probs), dtype=torch.float32))
    assert len(server.service.queue) == 1
    assert watch.rows < SIDE
    connection.close()
    browser.close()
    wait_until(lambda: len(server.service.queue) == 0)


def test_closing_the_studio_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what waits; and no thread stays."""
    watch = Watch()
    watch.spy(monkeypatch)
    limits: Limits = SMALL.model_copy(update={"concurrent": 1})
    server = Server(StudioService([grey()], limits))
    server.start()
    server.service.models.wait(600)
    first = Browser(server, LONG)
    first.until("pixels")
    second = Browser(server, LONG)
    assert second.next()["ahead"] == 1
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 3
    assert first.until("failed")["code"] == second.until("failed")["code"] == "cancelled"
    assert_still(watch)
    first.close()
    second.close()
