"""Pictures in and out: exact where they can be, outlines of them, refused in a sentence where they cannot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import pointillist as pt
from pointillist.conditioning import HintPreprocessor
from pointillist.images import ImageSpec
from pointillist.studio.http.app import create_app
from pointillist.studio.service import StudioService
from tests.laws.strategies import randomise_weights
from tests.studio import helpers
from tests.studio.helpers import PALETTE, decoded, encoded

LEVEL = 1
"""Pillow rounds a mean of levels up or down."""
GREY = "pixelcnn-pp"  # 6x6, 256 levels


def file_of(values: Any, kind: str = "PNG") -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def upload(client: TestClient, body: bytes, model: str = GREY, **query: Any) -> Any:
    return client.post(f"/api/models/{model}/upload", content=body, params=query)


def opened(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 6))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF"])
def test_an_exact_picture_comes_in_as_it_is(client: TestClient, values: np.ndarray, kind: str) -> None:
    """Every format that loses nothing."""
    body = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(body, kind, **({"lossless": True} if kind == "WEBP" else {}))
    found = upload(client, body.getvalue()).json()
    np.testing.assert_array_equal(decoded(found["levels"])[0], values)
    assert (found["resized"], found["exact"], found["note"]) == (None, True, None)


def test_in_and_out_is_the_identity(client: TestClient) -> None:
    """Levels to PNG to levels, for few levels and for a palette with a transparent colour."""
    for model, shape in (("gated-pixelcnn", (3, 4, 5)), ("locally-masked-pixelcnn", (1, 4, 4))):
        levels = np.random.default_rng(1).integers(0, 4, shape)
        out = client.post(f"/api/models/{model}/png", json={"levels": encoded(levels)})
        assert out.headers["content-type"] == "image/png"
        found = upload(client, out.content, model).json()
        np.testing.assert_array_equal(decoded(found["levels"]), levels)
        assert found["exact"]


def test_a_png_shows_the_palette(client: TestClient) -> None:
    """Exact at scale 1, every pixel a square above."""
    levels = np.arange(16).reshape(1, 4, 4) % 4
    exact = opened(client.post("/api/models/locally-masked-pixelcnn/png", json={"levels": encoded(levels)}))
    np.testing.assert_array_equal(np.asarray(exact.convert("RGBA")), np.array(PALETTE)[levels[0]])
    question = {"levels": encoded(levels), "scale": 3}
    large = opened(client.post("/api/models/locally-masked-pixelcnn/png", json=question)).convert("RGBA")
    np.testing.assert_array_equal(np.asarray(large), np.array(PALETTE)[levels[0]].repeat(3, 0).repeat(3, 1))


def test_a_picture_of_another_size_is_offered_to_be_resized(client: TestClient) -> None:
    """409 says the sizes and the ways; sent again with one of them, it is taken, and the note says what was done."""
    picture = file_of(np.add.outer(np.arange(12), np.arange(12)) * 10)
    rejected = upload(client, picture)
    assert rejected.status_code == 409
    error = rejected.json()
    assert (error["code"], error["size"], error["expected_size"]) == ("size", [12, 12], [6, 6])
    assert error["resize"] == ["nearest", "area"]
    found = upload(client, picture, resize="area").json()
    expected = np.asarray(Image.open(io.BytesIO(picture))).reshape(6, 2, 6, 2).mean((1, 3))
    np.testing.assert_allclose(decoded(found["levels"])[0], expected, rtol=0, atol=LEVEL)
    assert (found["resized"], found["note"]) == ("area", "The picture was resized to 6x6 (area).")
    np.testing.assert_array_equal(
        decoded(upload(client, picture, height=12, width=12).json()["levels"])[0][0, :3], [0, 10, 20]
    )


def test_names_are_never_averaged(client: TestClient) -> None:
    """A palette offers the nearest pixel only."""
    picture = file_of(np.zeros((8, 8, 3)))
    assert upload(client, picture, "locally-masked-pixelcnn").json()["resize"] == ["nearest"]
    answer = upload(client, picture, "locally-masked-pixelcnn", resize="area")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_what_was_lost_is_said(client: TestClient) -> None:
    """Colours between the levels are rounded; grey is made of colours."""
    found = upload(client, file_of(np.full((4, 5, 3), 100)), "gated-pixelcnn").json()
    assert not found["exact"]
    assert found["note"] == "The picture was converted to 4 levels."
    colours = upload(client, file_of(np.full((4, 4, 3), (70, 190, 20))), "locally-masked-pixelcnn").json()
    assert (decoded(colours["levels"]) == 1).all()
    assert "nearest colours of the palette" in colours["note"]


def test_a_hint_is_read_in_its_own_size(client: TestClient) -> None:
    """Of the upscaler: half of the image's."""
    found = upload(client, file_of(np.full((2, 2), 255)), "gated-pixelcnn-2", role="hint").json()
    assert decoded(found["levels"]).shape == (1, 2, 2)
    answer = upload(client, file_of(np.zeros((6, 6))), role="hint")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises many pixels, and whose data is as short as deflate allows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes((width + 1) * min(height, 2000)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(101, 100), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(client: TestClient, size: tuple[int, int]) -> None:
    """Before a pixel is decoded: 413, whatever Pillow thinks of it."""
    body = bomb(min(size[0], 20_000), 1) if size[0] > 20_000 else bomb(size[0], min(size[1], 2))
    body = body[:16] + struct.pack(">II", *size) + body[24:]
    body = body[:29] + struct.pack(">I", zlib.crc32(body[12:29])) + body[33:]
    answer = upload(client, body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), answer.text
    assert "over the limit of 10,000" in answer.json()["error"]


def test_what_is_no_picture_is_refused(client: TestClient, values: np.ndarray) -> None:
    """Nothing, text, SVG, PostScript, and pictures cut off anywhere or with any byte turned."""
    whole = file_of(values)
    drawing, page = b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0"
    for body in (b"", b"hello", drawing, page):
        answer = upload(client, body)
        assert (answer.status_code, answer.json()["code"]) == (415, "unreadable"), body
    for cut in range(0, len(whole) - 12, 3):
        answer = upload(client, whole[:cut])
        if answer.status_code == 200:  # only a checksum is missing
            np.testing.assert_array_equal(decoded(answer.json()["levels"])[0], values)
            assert cut > len(whole) - 24
        else:
            assert (answer.status_code, answer.json()["code"]) == (415, "unreadable"), cut
    for place in range(len(whole)):
        turned = bytearray(whole)
        turned[place] ^= 0xFF
        answer = upload(client, bytes(turned))
        assert answer.status_code in (200, 409, 413, 415), answer.text


@pytest.mark.parametrize(
    ("query", "status"),
    [({"height": 6}, 400), ({"height": 0, "width": 1}, 422), ({"height": 65, "width": 64}, 413), ({"role": "x"}, 422),
     ({"resize": "magic"}, 422), ({"height": 4096, "width": 4096}, 413)],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused(client: TestClient, query: dict[str, Any], status: int) -> None:
    """Before the picture is looked at."""
    assert upload(client, file_of(np.zeros((6, 6))), **query).status_code == status


def test_files_that_would_be_too_large_are_refused(client: TestClient) -> None:
    """A PNG of a side above 4,096."""
    wide = encoded(np.zeros((1, 1, 4096)))
    answer = client.post(f"/api/models/{GREY}/png", json={"levels": wide, "scale": 2})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.fixture(scope="module")
def outliner() -> Iterator[StudioService]:
    """A model of a palette, conditioned on the outline of its images."""
    palette = ((0, 0, 0, 0), (200, 30, 30, 255), (30, 200, 30, 255), (250, 250, 250, 255))
    image = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False, mode="palette", palette=palette)
    found = helpers.service(
        randomise_weights(pt.build("gated-pixelcnn", shape=image, channels=4, layers=1, hint="outline"))
    )
    yield found
    found.close()


def hint_of(service: StudioService, array: np.ndarray, **options: str) -> dict[str, Any]:
    """The hint of a picture."""
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    client = TestClient(create_app(service), base_url=helpers.HOST)
    query = {"role": "hint", **options}
    answer = client.post("/api/models/gated-pixelcnn/upload", params=query, content=out.getvalue())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ring() -> np.ndarray:
    """A drawing of a square, 1 where there is a line."""
    lines = np.zeros((8, 8), np.uint8)
    lines[1:7, 1:7] = 1
    lines[2:6, 2:6] = 0
    return lines


@pytest.mark.parametrize("dark", [False, True])
def test_drawings_of_both_polarities_are_the_same_hint(outliner: StudioService, dark: bool) -> None:
    """White on black as it is; black on white is inverted, and said to be."""
    lines = ring()
    found = hint_of(outliner, 255 * (1 - lines if dark else lines))
    np.testing.assert_array_equal(helpers.decoded(found["levels"])[0], lines)
    assert (found["note"] is not None and "inverted" in found["note"]) == dark


def test_a_picture_is_outlined_by_the_rule_of_the_model(outliner: StudioService) -> None:
    """As training did it; a drawing, too, if it is asked for."""
    model = outliner.models["gated-pixelcnn"].model
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[2:7, 1:6] = (200, 30, 30, 255)
    levels = model.to_levels(picture[None])
    expected = HintPreprocessor.parse("outline").of(levels.numpy(), model.image)[0]
    found = hint_of(outliner, picture)
    np.testing.assert_array_equal(helpers.decoded(found["levels"]), expected)
    assert "outlined by the model's own rule" in found["note"]
    drawing = np.where(ring(), np.uint8(255), np.uint8(0))[..., None].repeat(3, 2)
    assert "outlined" in hint_of(outliner, drawing, source="picture")["note"]
