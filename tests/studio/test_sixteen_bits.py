"""Grey pictures of 16 bits in the studio: they come in and go out with every bit, and are painted and filled."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import pointillist as pt
from pointillist.studio.http.app import create_app
from tests.studio.helpers import HOST, decoded, encoded, events, images, service

SCAN = np.random.default_rng(0).integers(900, 2300, (6, 6)).astype(np.uint16)
MODEL = pt.build("pixelcnn", shape=(1, 6, 6), levels=65_536, likelihood="mixture", channels=4, layers=1)
PATH = "/api/models/pixelcnn"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A studio of one model of 65,536 levels."""
    opened = service(MODEL)
    yield TestClient(create_app(opened), base_url=HOST, raise_server_exceptions=False)
    opened.close()


def file_of(array: np.ndarray, kind: str) -> bytes:
    """Encode a picture."""
    body = io.BytesIO()
    Image.fromarray(array).save(body, kind)
    return body.getvalue()


def upload(client: TestClient, body: bytes, **query: Any) -> Any:
    return client.post(f"{PATH}/upload", content=body, params=query)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("array", [SCAN, (SCAN // 16).astype(np.uint8)], ids=["16 bits", "8 bits"])
def test_every_bit_comes_in(client: TestClient, kind: str, array: np.ndarray) -> None:
    """Values are the levels, whatever the depth of the file."""
    answer = upload(client, file_of(array, kind)).json()
    np.testing.assert_array_equal(decoded(answer["levels"])[0], array)
    assert (answer["resized"], answer["exact"], answer["note"]) == (None, True, None)


def test_sizes_are_kept_or_picked(client: TestClient) -> None:
    """Another size is offered by the nearest pixel alone, as means have 8 bits."""
    body = file_of(SCAN[:4, :5], "PNG")
    answer = upload(client, body)
    assert (answer.status_code, answer.json()["resize"]) == (409, ["nearest"])
    np.testing.assert_array_equal(decoded(upload(client, body, height=4, width=5).json()["levels"])[0], SCAN[:4, :5])
    resized = decoded(upload(client, body, resize="nearest", fit="stretch").json()["levels"])[0]
    assert set(resized.ravel().tolist()) <= set(SCAN[:4, :5].ravel().tolist())
    assert "neither categories nor 16 bits" in upload(client, body, resize="area").json()["error"]


def test_colours_are_rejected(client: TestClient) -> None:
    """One sentence for RGB, transparency and palettes."""
    for mode in ("RGB", "LA", "P"):
        body = io.BytesIO()
        Image.new(mode, (6, 6)).save(body, "PNG")
        answer = upload(client, body.getvalue())
        assert answer.status_code == 415
        assert "takes grey of 8 or 16 bits" in answer.json()["error"]


def test_every_bit_goes_out(client: TestClient) -> None:
    """A PNG of 16 bits, unchanged and enlarged."""
    for scale in (1, 3):
        answer = client.post(f"{PATH}/png", json={"levels": encoded(SCAN[None], "uint16"), "scale": scale})
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert picture.mode == "I;16"
            np.testing.assert_array_equal(np.asarray(picture), SCAN.repeat(scale, 0).repeat(scale, 1))
    assert client.post(f"{PATH}/map", json={"levels": encoded(SCAN[None], "uint16")}).status_code == 400


def test_painted_and_filled(client: TestClient) -> None:
    """The image of `sample`, reported pixel by pixel; a fill keeps what is known."""
    lines = events(client.post(f"{PATH}/sample", json={"samples": [{"seed": 3}]}).text)
    assert sum(line["count"] for line in lines if line["type"] == "pixels") == 36
    [finished] = [line for line in lines if line["type"] == "finished"]
    np.testing.assert_array_equal(images(finished), pt.sample(MODEL, 1, seed=3).levels)
    known = np.ones((6, 6), np.uint8)
    known[2, 2:5] = 0
    start = {"levels": encoded(SCAN[None], "uint16"), "known": encoded(known)}
    answer = client.post(f"{PATH}/fill", json={"start": start, "candidates": 2, "seed": 1}).json()
    for filled in images({"images": [candidate["image"] for candidate in answer["candidates"]]})[:, 0]:
        np.testing.assert_array_equal(filled[known == 1], SCAN[known == 1])
    expected = pt.inpaint(MODEL, SCAN[None].astype(np.int64), known == 1, 2, seed=1)
    assert answer["method"] == expected.method == "sequential"  # in floating point: see `choose_method`
    np.testing.assert_array_equal(answer["ess"], expected.ess)
