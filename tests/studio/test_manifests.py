"""Manifests: reproduced to the bit here; differences are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from pointillist.studio.reproduce import read_manifest, reproduce
from pointillist.studio.service import LIMITS, StudioService
from tests.studio.helpers import encoded, events, images


def manifest(client: TestClient, **request: Any) -> dict[str, Any]:
    """The end of a painting."""
    body = {"samples": [{"index": i, "conditions": {"label": "dog"}} for i in range(2)], "temperature": 0.8, **request}
    found = events(client.post("/api/models/gated-pixelcnn/sample", json=body).text)[-1]
    assert found["type"] == "finished", found
    return found


def again(client: TestClient, record: dict[str, Any], model: str = "gated-pixelcnn") -> dict[str, Any]:
    """The result of reproducing a manifest."""
    answer = client.post(f"/api/models/{model}/reproduce", json={"manifest": record})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_manifest_is_complete(client: TestClient) -> None:
    """Seeds, order, size and engine are filled in, though none was asked for; it is reproduced to the bit."""
    known = np.arange(20).reshape(4, 5) % 2
    finished = manifest(client, start={"levels": encoded(np.ones((3, 4, 5))), "known": encoded(known)})
    request = finished["manifest"]["request"]
    assert all(sample["seed"] is not None for sample in request["samples"])
    assert (request["order"], request["size"]) == ("raster", [4, 5])
    assert request["engine"] in ("torch", "numpy")
    found = again(client, finished["manifest"])
    assert found["identical"] == [True, True]
    assert found["same_model"]
    assert found["same_environment"]
    assert found["message"] == "All 2 images are identical to the bit."
    assert images(found).tolist() == images(finished).tolist()


def test_a_changed_setting_is_noticed(client: TestClient) -> None:
    """The image is another one."""
    record = manifest(client, temperature=1.0)["manifest"]
    record["request"]["temperature"] = 0.0
    assert again(client, record)["identical"] != [True, True]


def test_other_weights_are_named(client: TestClient) -> None:
    """Their images are painted, if they are of the same kind, but never called identical."""
    record = manifest(client)["manifest"]
    record["model"]["sha256"] = "f" * 64
    found = again(client, record)
    assert not found["same_model"]
    assert found["identical"] == [False, False]
    assert found["message"] == "Not reproduced: the model is not the model of the manifest."


def test_another_version_is_named(client: TestClient) -> None:
    """Another torch may round otherwise."""
    record = manifest(client)["manifest"]
    record["environment"]["torch"], record["sha256"] = "1.0.0", ["0" * 64] * 2
    found = again(client, record)
    assert found["same_model"]
    assert not found["same_environment"]
    assert "other versions" in found["message"]


def test_an_inconsistent_manifest_is_rejected(client: TestClient) -> None:
    """Of another kind of image, with a hash too many, without a seed, or of another version of the format."""
    record = manifest(client)["manifest"]
    samples = record["request"]["samples"]
    seedless = [{**samples[0], "seed": None}, samples[1]]
    for faulty, model, status, words in [
        (record, "pixelcnn-pp", 400, "label"),
        ({**record, "sha256": record["sha256"] * 2}, "gated-pixelcnn", 400, "4 hashes for 2 samples"),
        ({**record, "request": {**record["request"], "samples": seedless}}, "gated-pixelcnn", 400, "without a seed"),
        ({**record, "version": 2}, "gated-pixelcnn", 422, "version"),
        ({**record, "sha256": ["zz", "zz"]}, "gated-pixelcnn", 422, "sha256"),
    ]:
        answer = client.post(f"/api/models/{model}/reproduce", json={"manifest": faulty})
        assert answer.status_code == status, answer.text
        assert words in answer.json()["error"]


@pytest.mark.parametrize("pick", [None, 2])
def test_a_fill_is_reproduced(client: TestClient, service: StudioService, tmp_path: Path, pick: int | None) -> None:
    """All candidates, or a picked one, with the levels that were known; on the command line, too."""
    known = np.ones((4, 5))
    known[1:3, 1:3] = 0
    start = {"levels": encoded(np.full((3, 4, 5), 2)), "known": encoded(known)}
    body = {"start": start, "candidates": 3, "conditions": {"label": "dog"}, "pick": pick}
    filled = client.post("/api/models/gated-pixelcnn/fill", json=body).json()
    record = filled["manifest"]
    assert record["request"]["seed"] == filled["seed"]
    assert record["request"]["method"] == filled["method"] == "smc"
    hashes = [candidate["image"]["sha256"] for candidate in filled["candidates"]]
    assert record["sha256"] == hashes
    assert len(hashes) == (3 if pick is None else 1)
    found = again(client, record)
    assert found["identical"] == [True] * len(hashes)
    assert [image["sha256"] for image in found["images"]] == hashes
    path = tmp_path / "fill.json"
    path.write_text(json.dumps(record))
    entry = service.models["gated-pixelcnn"]
    result = reproduce(entry.model, entry.sha256, read_manifest(path), LIMITS)
    assert all(result.identical)
    record["request"]["start"]["levels"] = encoded(np.full((3, 4, 5), 1))
    assert not any(again(client, record)["identical"])
