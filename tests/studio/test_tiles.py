"""Maps in the studio: the page gets their tiles, and files are drawn by them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import pointillist as pt
from pointillist.data.tilemaps import Tileset
from pointillist.data.tilemaps.tileset import plain_tileset
from pointillist.errors import ConfigError
from pointillist.studio import schemas
from pointillist.studio.answers.model_details import model_details
from pointillist.studio.http import pictures
from pointillist.studio.http.app import create_app
from pointillist.studio.service import LIMITS
from tests.studio import helpers
from tests.studio.helpers import decoded, encoded

LEVELS = np.random.default_rng(0).integers(0, 4, (1, 5, 7))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """Two models of maps of four kinds of cell: `pixelcnn` with tiles, and `gated-pixelcnn` without."""
    plain = helpers.mapper("gated-pixelcnn")
    plain.tileset = None
    found = helpers.service(helpers.mapper("pixelcnn"), plain)
    yield TestClient(create_app(found), base_url=helpers.HOST, raise_server_exceptions=False)
    found.close()


def test_the_page_gets_tiles_and_names(client: TestClient) -> None:
    """With the facts of the model; the palette is the mean colours."""
    tiled, plain = (model["details"]["image"] for model in client.get("/api/info").json()["models"])
    np.testing.assert_array_equal(decoded(tiled["tiles"]), helpers.TILES.tiles)
    np.testing.assert_array_equal(tiled["palette"], helpers.TILES.mean_colours())
    assert tiled["level_names"] == plain["level_names"] == ["void", "wall", "floor", "door"]
    assert (plain["tiles"], plain["palette"]) == (None, None)


@pytest.mark.parametrize(("side", "sent"), [((64, 64), (64, 64)), ((256, 256), (128, 128)), ((511, 512), (1, 1))])
def test_large_tiles_are_shrunk(side: tuple[int, int], sent: tuple[int, int]) -> None:
    """By a whole factor, and to their mean colours where no factor is enough."""
    model = helpers.mapper("pixelcnn")
    model.tileset = Tileset(np.full((4, *side, 4), 200, np.uint8))
    tiles = model_details(model).image.tiles
    assert tiles is not None
    assert tiles.shape == [4, *sent, 4]


def test_a_png_is_drawn_by_tiles_and_carries_its_manifest(client: TestClient) -> None:
    """As `pointillist sample` draws it; enlarged, each pixel of a tile is a square."""
    request = {"conditions": {}, "seed": 1, "index": 0}
    events = helpers.events(client.post("/api/models/pixelcnn/sample", json={"samples": [request]}).text)
    manifest = events[-1]["manifest"]
    question = {"levels": encoded(LEVELS), "manifest": manifest}
    expected = helpers.TILES.draw(LEVELS[0])
    for scale in (1, 2):
        answer = client.post("/api/models/pixelcnn/png", json={**question, "scale": scale})
        assert answer.status_code == 200, answer.text
        with Image.open(io.BytesIO(answer.content)) as found:
            np.testing.assert_array_equal(np.asarray(found), expected.repeat(scale, 0).repeat(scale, 1))
            assert manifest["model"]["sha256"] in found.info["pointillist-manifest"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", ["tmj", "tmx", "csv", "txt"])
def test_a_map_is_saved_for_an_editor(client: TestClient, form: str, tmp_path: Path) -> None:
    """In a ZIP with its tileset or legend, which training reads back; plain tiles where the model has none."""
    for model, tiles in (("pixelcnn", helpers.TILES), ("gated-pixelcnn", plain_tileset(4))):
        answer = client.post(f"/api/models/{model}/map", json={"levels": encoded(LEVELS), "format": form})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), answer.text
        folder = tmp_path / model
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)
        read = pt.load_data(folder, mode="codes", levels=4).train
        np.testing.assert_array_equal(read.batch([0]).levels[0], LEVELS)
        if form.startswith("tm"):
            assert read.tileset is not None
            np.testing.assert_array_equal(read.tileset.tiles, tiles.tiles)


def test_only_maps_are_saved_as_maps() -> None:
    """Others are pictures; the sentence says what the model samples."""
    with pytest.raises(ConfigError, match="Only maps of tiles can be exported for an editor, and this model samples"):
        pictures.map_archive(helpers.grey(), schemas.MapRequest(levels=schemas.EncodedArray(**encoded(LEVELS))), LIMITS)


def test_codes_without_tiles_are_no_picture(client: TestClient) -> None:
    answer = client.post("/api/models/gated-pixelcnn/png", json={"levels": encoded(LEVELS)})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert "without a tileset" in answer.json()["error"]
