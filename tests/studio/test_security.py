"""Requests that are rejected before they reach a model, and connections on which nothing arrives."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pointillist.studio import schemas
from pointillist.studio.http import server as home
from pointillist.studio.http.app import create_app
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.studio.helpers import HOST, SMALL


def check_error(answer: Any, status: int, code: str) -> str:
    """Check an error response, and return its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    found = schemas.ErrorResponse.model_validate_json(answer.text)
    assert found.code == code
    assert found.error.endswith(".")
    return found.error


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "",
        "[::2]",
        "127.0.0.1.evil",
        "127.0.0.1:80, evil.example",
        "localhost evil.example",
        "localhost:evil",
        "[::1]evil.example",
    ],
)
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: a page points a name of its own at this machine."""
    check_error(client.get("/api/info", headers={"host": host}), 421, "host")
    check_error(client.get("/", headers={"host": host}), 421, "host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:9", "[::1]:80"])
def test_names_of_this_machine_are_taken(client: TestClient, host: str) -> None:
    """Whatever the port, so that tunnels work."""
    assert client.get("/api/info", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:81", "http://127.0.0.1", "file://"]
)
def test_a_foreign_origin_is_refused(client: TestClient, origin: str) -> None:
    """Another page may neither paint nor read; not even one of another port of this machine."""
    check_error(client.post("/api/models/pixelcnn-pp/sample", json={}, headers={"origin": origin}), 403, "origin")
    answer = client.get("/api/info", headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    check_error(answer, 403, "origin")


def test_its_own_page_is_let_in(client: TestClient) -> None:
    """By its origin; and a request that a browser says is of another site is not, even without an origin."""
    assert client.get("/api/info", headers={"origin": HOST}).status_code == 200
    assert client.get("/api/info", headers={"sec-fetch-site": "same-origin"}).status_code == 200
    check_error(client.get("/api/info", headers={"sec-fetch-site": "cross-site"}), 403, "origin")
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link to it


def test_a_server_for_the_network_takes_its_names_and_any_address(service: StudioService) -> None:
    """A page that means harm can point a name at us, but not an address."""
    app = create_app(service, frozenset({"studio.lan"}), any_address=True)
    with_names = TestClient(app, base_url=HOST)  # not entered: the models of the service are loaded already
    for host, status in (("studio.lan", 200), ("10.0.0.7:80", 200), ("[fe80::1]", 200), ("other.lan", 421)):
        assert with_names.get("/api/info", headers={"host": host}).status_code == status


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    """By what it promises, and by what it is where it promises nothing."""
    size = SMALL.body_bytes + 1
    address = "/api/models/pixelcnn-pp/score"
    assert "over the limit of 200,000" in check_error(client.post(address, content=b" " * size), 413, "too_large")
    check_error(client.post(address, content=iter([b" " * 1000] * (size // 1000 + 1))), 413, "too_large")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "The body (0 items) must be an object."),
        (b"null", "body"),
        (b"{}", "`levels` is missing: the address needs it."),
        (b'{"levels": 1}', "`levels` (=1) must be an object."),
        (b'{"\\ud800": 1}', "body"),
        (
            b'{"levels": {"dtype": "uint8", "shape": [1, 2, 3, 4, 5], "data": ""}}',
            "`levels.shape` (5 items) must have at most 4 items.",
        ),
        (
            b'{"levels": {"dtype": "uint8", "shape": [1, 2.5], "data": ""}}',
            "`levels.shape.1` (=2.5) must be an integer.",
        ),
        (b'{"levels": {"dtype": "uint8", "shape": [-1], "data": ""}}', "`levels.shape.0` (=-1) must be at least 0."),
        (
            b'{"levels": {"dtype": "uint8", "shape": [1], "data": ""}, "conditions": {"label": 0.5}}',
            "`conditions.label` (=0.5) must be an integer or text.",
        ),
        (b'{"levels": {"dtype": "uint8", "shape": [1, 6, 6]}}', "levels.data"),
        (b'{"levels": {"dtype": "int8", "shape": [1, 6, 6], "data": ""}}', "levels.dtype"),
        (b'{"levels": {"dtype": "uint8", "shape": [1e400], "data": ""}}', "levels.shape"),
        (b'{"levels": {"dtype": "uint8", "shape": [1, 6, 6], "data": ""}, "colour": 1}', "colour"),
        (b'{"levels": {"dtype": "uint8", "shape": [1, 6, 6], "data": ""}, "order": "\\ud800"}', "order"),
        (
            b'{"levels": {"dtype": "uint8", "shape": [1, 6, 6], "data": ""}, "conditions": {"text": "\\udfff"}}',
            "conditions.text",
        ),
    ],
)
def test_a_body_that_is_no_message_is_refused(client: TestClient, body: bytes, words: str) -> None:
    """422 and a sentence that names the field."""
    answer = client.post("/api/models/pixelcnn-pp/score", content=body, headers={"content-type": "application/json"})
    assert words in check_error(answer, 422, "validation")


def test_a_body_of_another_type_is_refused(client: TestClient) -> None:
    """A form of another page cannot pass for JSON."""
    answer = client.post("/api/models/pixelcnn-pp/score", content=b"{}", headers={"content-type": "text/plain"})
    check_error(answer, 422, "validation")


def test_what_is_not_there(client: TestClient) -> None:
    """Addresses, models, paintings and methods."""
    check_error(client.get("/api/nothing"), 404, "not_found")
    check_error(client.get("/page/../service.py"), 404, "not_found")
    check_error(client.get("/page/%2e%2e/service.py"), 404, "not_found")
    assert "'other'" in check_error(client.post("/api/models/other/sample", json={"samples": [{}]}), 404, "not_found")
    check_error(client.delete("/api/jobs/none"), 404, "not_found")
    answer = client.get("/api/models/pixelcnn-pp/sample")
    check_error(answer, 405, "method")
    assert answer.headers["allow"] == "POST"


def test_an_internal_error_keeps_its_traceback(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has a sentence and no inside."""
    monkeypatch.setattr(StudioService, "query", lambda *args: 1 / 0)
    question = {"levels": {"dtype": "uint8", "shape": [1, 6, 6], "data": ""}}
    said = check_error(client.post("/api/models/pixelcnn-pp/score", json=question), 500, "internal")
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said


def test_a_browser_is_told_to_stay_here(client: TestClient) -> None:
    """No script, style or connection of another host; no page may frame it; nothing is kept."""
    for address in ("/", "/api/info", "/api/nothing"):
        headers = client.get(address).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_page_answers_head(client: TestClient) -> None:
    """As a probe of a proxy asks."""
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_description_is_served(client: TestClient) -> None:
    """OpenAPI 3.1, with the events of the stream; every address of the documentation is in it."""
    found = client.get("/api/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    assert {"Event", "Queued", "Started", "Pixels", "Finished", "Failed"} <= set(found["components"]["schemas"])
    assert "HTTPValidationError" not in json.dumps(found)
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "reference" / "studio_api.md").read_text(encoding="utf-8")
    for path, ways in found["paths"].items():
        for method in ways:
            assert f"| {method.upper()} `{path}` |" in page


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends nothing, and one that sends half a request; a whole request is answered."""
    monkeypatch.setattr(home, "_REQUEST_TIMEOUT", 0.5)
    server = Server(StudioService([]))
    server.start()
    address = ("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2]))
    try:
        for sent in (b"", b"GET /api/info HTTP/1.1\r\nHost: 127"):
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(sent)
                started = time.monotonic()
                assert connection.recv(1) == b""  # closed by the server
                assert time.monotonic() - started < 20
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(b"GET /api/info HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert connection.recv(15).startswith(b"HTTP/1.1 200")
    finally:
        server.close()


def test_a_web_socket_is_answered_like_any_request(capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing is printed about libraries to install."""
    server = Server(StudioService([]))
    server.start()
    address = ("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2]))
    headers = "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    try:
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(f"GET /socket HTTP/1.1\r\n{headers}\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 404"
    finally:
        server.close()
    assert "WebSocket" not in "".join(capfd.readouterr())
