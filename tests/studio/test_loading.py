"""Models come along one after the other; what is not ready says so; nothing is left on the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.studio import model_pool
from pointillist.studio.http.app import create_app
from pointillist.studio.service import StudioService
from tests.studio.helpers import HOST, SMALL, decoded, encoded, events, grey, labelled

SCORE = {"levels": encoded(np.zeros((1, 6, 6)))}


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Models wait for it before they are warmed up."""
    found, plain = threading.Event(), model_pool._warm_up

    def warm_up(model: pt.PixelModel, limits: object) -> None:
        assert found.wait(30)
        plain(model, SMALL)

    monkeypatch.setattr(model_pool, "_warm_up", warm_up)
    yield found
    found.set()


def test_a_model_that_loads_says_so_and_is_ready_later(gate: threading.Event) -> None:
    """503 with Retry-After, and the steps in `ServerInfo`; the next one waits for its turn."""
    service = StudioService([grey(), labelled()], SMALL)
    with TestClient(create_app(service), base_url=HOST) as client:
        first, second = client.get("/api/info").json()["models"]
        assert first["state"] in ("waiting", "loading")
        assert (second["state"], second["details"]) == ("waiting", None)
        answer = client.post("/api/models/pixelcnn-pp/score", json=SCORE)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json() == {"error": "pixelcnn-pp is still loading: try again in a moment.", "code": "loading"}
        gate.set()
        service.models.wait(600)
        states = [(one["state"], one["step"], one["error"]) for one in client.get("/api/info").json()["models"]]
        assert states == [("ready", None, None)] * 2
        assert client.post("/api/models/pixelcnn-pp/score", json=SCORE).status_code == 200


def test_a_model_that_fails_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    """The sentence of `pt.load`; asking again would not help, so nothing says to."""
    (tmp_path / "config.json").write_text("{}")
    service = StudioService([str(tmp_path), str(tmp_path / "nowhere"), grey()], SMALL)
    with TestClient(create_app(service), base_url=HOST) as client:
        service.models.wait(600)
        models = client.get("/api/info").json()["models"]
        assert [one["state"] for one in models] == ["failed", "failed", "ready"]
        for one in models[:2]:
            answer = client.post(f"/api/models/{one['id']}/score", json=SCORE)
            assert (answer.status_code, answer.json()["code"]) == (503, "failed")
            assert answer.json()["error"] == one["error"]
            assert one["error"].endswith(".")
            assert "retry-after" not in answer.headers


def test_details_describe_the_model(client: TestClient, service: StudioService) -> None:
    """Every model of the studio, in the order in which it was named, in its own words."""
    found = client.get("/api/info").json()
    assert found["version"] == pt.__version__
    assert [one["id"] for one in found["models"]] == [
        "gated-pixelcnn", "pixelcnn-pp", "locally-masked-pixelcnn", "gated-pixelcnn-2",
    ]  # fmt: skip
    rgb, mixture, palette, other = (one["details"] for one in found["models"])
    assert rgb["image"]["values"] == [0, 85, 170, 255]
    assert rgb["conditions"]["labels"] == ["cat", "dog", "cow"]
    assert (mixture["likelihood"], mixture["mixtures"]) == ("mixture", 2)
    assert len(palette["image"]["palette"]) == 4
    assert palette["orders"] == ["s-curve", "raster-bl"]
    assert other["conditions"]["attributes"] == {"hair": ["red", "blue"]}
    assert other["conditions"]["hint"]["image"]["height"] == 2
    assert other["conditions"]["others"] == {"vector": "2 numbers"}
    for one, details in zip(found["models"], (rgb, mixture, palette, other), strict=True):
        assert details["parameters"] == service.models[one["id"]].model.num_parameters()
        assert len(details["sha256"]) == 64


def test_a_model_of_a_notebook_can_change_without_reaching_the_studio() -> None:
    """It was copied."""
    model = grey()
    service = StudioService([model], SMALL)
    with TestClient(create_app(service), base_url=HOST) as client:
        service.models.wait(600)
        before = client.post("/api/models/pixelcnn-pp/score", json=SCORE).json()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        assert client.post("/api/models/pixelcnn-pp/score", json=SCORE).json() == before


def test_nothing_is_written_on_the_disk(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample, query, export, reproduce and upload, with every way to open a file for writing watched."""
    import builtins
    import os
    import tempfile

    written: list[object] = []
    plain_open, plain_os = builtins.open, os.open

    def watched(file: object, mode: str = "r", *args: object, **named: object) -> object:
        if set(mode) & set("wax+"):
            written.append(file)
        return plain_open(file, mode, *args, **named)  # type: ignore[call-overload]

    def watched_os(path: object, flags: int, *args: object, **named: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(path)
        return plain_os(path, flags, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr("io.open", watched)
    monkeypatch.setattr(os, "open", watched_os)
    monkeypatch.setattr(tempfile, "mkstemp", lambda *args, **named: written.append("mkstemp") or 1 / 0)
    address = "/api/models/gated-pixelcnn"
    finished = events(client.post(f"{address}/sample", json={"samples": [{"conditions": {"label": 1}}]}).text)[-1]
    levels = finished["images"][0]["levels"]
    # each to another level than was painted, which differs from run to run
    there = decoded(levels)[0, 0, :3].tolist()
    edits = [{"row": 0, "column": column, "level": 1 - min(level, 1)} for column, level in enumerate(there)]
    requests = [
        ("score", {"levels": levels}), ("pixel", {"levels": levels, "row": 1, "column": 1}),
        ("saliency", {"levels": levels, "row": 1, "column": 1}),
        ("edit", {"levels": levels, "edits": edits}),
        ("reproduce", {"manifest": finished["manifest"]}), ("png", {"levels": levels}),
    ]  # fmt: skip
    for route, body in requests:
        answer = client.post(f"{address}/{route}", json=body)
        assert answer.status_code == 200, answer.text
    assert client.post(f"{address}/upload", content=answer.content).status_code == 200
    assert written == []
