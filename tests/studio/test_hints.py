"""Pictures that become an outline: drawings of either polarity, and others by the model's own rule."""

from __future__ import annotations

import io
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


def upload(service: StudioService, array: np.ndarray, **options: str) -> dict[str, Any]:
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
    found = upload(outliner, 255 * (1 - lines if dark else lines))
    np.testing.assert_array_equal(helpers.decoded(found["levels"])[0], lines)
    assert (found["note"] is not None and "inverted" in found["note"]) == dark


def test_a_large_drawing_keeps_its_thin_lines(outliner: StudioService) -> None:
    """One pixel of sixteen is enough for a line."""
    lines = np.zeros((32, 32), np.uint8)
    lines[5, :] = 255
    found = upload(outliner, lines, resize="area")
    expected = np.zeros((8, 8))
    expected[1] = 1
    np.testing.assert_array_equal(helpers.decoded(found["levels"])[0], expected)


def test_a_picture_is_outlined_by_the_rule_of_the_model(outliner: StudioService) -> None:
    """As training did it; a drawing, too, if it is asked for."""
    model = outliner.models["gated-pixelcnn"].model
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[2:7, 1:6] = (200, 30, 30, 255)
    levels = model.to_levels(picture[None])
    expected = HintPreprocessor.parse("outline").of(levels.numpy(), model.image)[0]
    found = upload(outliner, picture)
    np.testing.assert_array_equal(helpers.decoded(found["levels"]), expected)
    assert "outlined by the model's own rule" in found["note"]
    drawing = np.where(ring(), np.uint8(255), np.uint8(0))[..., None].repeat(3, 2)
    assert "outlined" in upload(outliner, drawing, source="picture")["note"]
