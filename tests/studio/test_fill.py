"""Fill the hole of an image: candidates, methods and sentences."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.studio import schemas
from pointillist.studio.errors import RequestError
from pointillist.studio.service import StudioService
from tests.laws.strategies import randomise_weights
from tests.portable.networks import integer_case
from tests.silence.programs import page_of
from tests.studio.helpers import decoded, encoded, labelled
from tests.studio.helpers import service as make_service

RGB, PALETTE = "gated-pixelcnn", "locally-masked-pixelcnn"


def ask(client: TestClient, model: str, levels: np.ndarray, known: np.ndarray, **options: Any) -> dict[str, Any]:
    """The answer to a request to fill."""
    start = {"levels": encoded(levels), "known": encoded(known)}
    answer = client.post(f"/api/models/{model}/fill", json={"start": start, **options})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def start_of(levels: np.ndarray, known: np.ndarray) -> schemas.StartImage:
    """An image with a hole."""
    encode = schemas.EncodedArray.of
    return schemas.StartImage(levels=encode(levels, "uint8"), known=encode(known, "uint8"))


def image_of(service: StudioService, model: str) -> np.ndarray:
    """An image of a model."""
    return pt.sample(service.models[model].model, 1, seed=3).levels[0]


def test_candidates_keep_what_is_known_and_come_as_they_were_drawn(client: TestClient, service: StudioService) -> None:
    """They are those of `inpaint`, by Sequential Monte Carlo where the hole is in the middle."""
    levels = image_of(service, RGB)
    known = np.ones((4, 5), bool)
    known[1:3, 1:3] = False
    found = ask(client, RGB, levels, known, candidates=4, seed=5, conditions={"label": "cat"})
    expected = pt.inpaint(service.models[RGB].model, levels, known, 4, seed=5, label="cat")
    images = np.stack([decoded(one["image"]["levels"]) for one in found["candidates"]])
    assert [one["number"] for one in found["candidates"]] == [0, 1, 2, 3]
    np.testing.assert_array_equal(images[expected.numbers], expected.levels)
    assert found["method"] == "smc"
    assert not found["exact"]
    assert found["message"].startswith("By Sequential Monte Carlo")
    assert (images[:, :, known] == levels[:, known]).all()


def test_an_order_that_ends_with_the_hole_is_exact(client: TestClient, service: StudioService) -> None:
    """The palette model can begin at the bottom; the answer names the order."""
    levels = image_of(service, PALETTE)
    known = np.zeros((4, 4), bool)
    known[2:] = True
    found = ask(client, PALETTE, levels, known, candidates=2, seed=1)
    assert (found["method"], found["order"], found["exact"], found["ignored"]) == ("order", "raster-bl", True, 0)
    assert "the hole comes last in the order raster-bl" in found["message"]


def test_what_is_ignored_is_counted_and_said(client: TestClient, service: StudioService) -> None:
    """In order alone, pixels after the hole have no say."""
    levels = image_of(service, RGB)
    known = np.ones((4, 5), bool)
    known[0, 0] = False
    found = ask(client, RGB, levels, known, candidates=1, seed=1, method="sequential")
    assert found["ignored"] == 19
    assert "ignoring 19 known pixels that come after the hole" in found["message"]


def test_a_model_that_cannot_hold_the_particles_says_what_it_ignores() -> None:
    """`auto` then draws in order."""
    limits = schemas.Limits(body_bytes=10**6, upload_pixels=10**6, samples=16, pixels=4096, numbers=5_000, queued=2,
                            concurrent=1, timeout=60)  # fmt: skip
    small = make_service(labelled(), limits=limits)
    try:
        known = np.ones((4, 5), np.uint8)
        known[1, 1] = 0
        found = small.fill(RGB, schemas.FillRequest(start=start_of(np.zeros((3, 4, 5)), known), candidates=2))
        assert found.method == "sequential"
        assert found.ignored == 13
    finally:
        small.close()


def test_levels_are_restricted_by_region(client: TestClient, service: StudioService) -> None:
    """Two regions, of which the model may use one level and two."""
    levels = image_of(service, PALETTE)
    known = np.zeros((4, 4), bool)
    left, right = np.zeros((4, 4)), np.zeros((4, 4))
    left[:, :2] = right[:, 2:] = 1
    allowed = [{"region": encoded(left), "levels": [2]}, {"region": encoded(right), "levels": [0, 3]}]
    found = ask(client, PALETTE, levels, known, candidates=3, seed=1, allowed=allowed)
    for one in found["candidates"]:
        image = decoded(one["image"]["levels"])[0]
        assert (image[:, :2] == 2).all()
        assert set(np.unique(image[:, 2:])) <= {0, 3}


def test_a_larger_canvas_is_filled_in_windows() -> None:
    """A model of fixed size extends an image beyond its edges; a smaller canvas is rejected."""
    model = randomise_weights(
        pt.build("gated-pixelcnn", shape=(1, 4, 4), levels=4, channels=4, layers=1, position_channels=2)
    )
    assert model.fixed_size
    fixed = make_service(model)
    levels, known = np.zeros((1, 6, 7), np.uint8), np.zeros((6, 7), np.uint8)
    levels[:, 1:5, 1:5] = pt.sample(model, 1, seed=1).levels[0]
    known[1:5, 1:5] = 1
    try:
        found = fixed.fill(RGB, schemas.FillRequest(start=start_of(levels, known), candidates=2, seed=1))
        for one in found.candidates:
            image = one.image.levels.array()
            assert image.shape == (1, 6, 7)
            np.testing.assert_array_equal(image[:, known == 1], levels[:, known == 1])
        assert "windows" in found.message
        with pytest.raises(ConfigError, match="must be at least 4x4"):
            fixed.fill(RGB, schemas.FillRequest(start=start_of(levels[:, :2, :2], known[:2, :2])))
    finally:
        fixed.close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"known": np.ones((4, 5))}, "nothing to fill"),
        ({"known": np.ones((4, 4))}, "must be uint8 of shape"),
        ({"levels": np.full((3, 4, 5), 9)}, "must lie in 0 to 3"),
        ({"method": "order"}, "cannot complete this image"),
        ({"allowed": [{"region": encoded(np.ones((4, 5))), "levels": [4]}]}, "must be below 4"),
        ({"allowed": [{"region": encoded(np.ones((4, 5))), "levels": [1]}]}, "excludes level 0"),
    ],
)
def test_what_cannot_be_filled_is_a_sentence(client: TestClient, change: dict[str, Any], sentence: str) -> None:
    """Of the request itself, and of the model."""
    known = np.ones((4, 5))
    known[0, 0] = 0
    given = {"levels": np.zeros((3, 4, 5)), "known": known, **change}
    start = {"levels": encoded(given.pop("levels")), "known": encoded(given.pop("known"))}
    answer = client.post(f"/api/models/{RGB}/fill", json={"start": start, **given})
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_a_fill_is_cancelled(service: StudioService) -> None:
    """After a row: the job ends, and the queue is free."""
    cancelled = threading.Event()
    cancelled.set()
    known = np.zeros((40, 40))
    known[-1] = 1
    with pytest.raises(RequestError, match="stopped"):
        service.fill(RGB, schemas.FillRequest(start=start_of(np.zeros((3, 40, 40)), known)), cancelled.is_set)
    for _ in range(100):  # the worker leaves the queue after its last event
        if not len(service.queue):
            return
        time.sleep(0.05)
    pytest.fail("the job is still in the queue")


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the page")
def test_a_page_fills_in_the_order_of_inpaint(tmp_path: Path) -> None:
    """Without a name, in the one of a model's orders in which fewest known pixels come after the hole."""
    model, _, _ = integer_case("gated-pixelcnn")
    assert model.orders == ("raster", "raster-tr")
    model.save_pretrained(tmp_path / "two-orders")
    levels, known = pt.sample(model, 1, seed=3).levels[0], np.ones((5, 7), bool)
    known[1:, :4] = False
    expected = pt.inpaint(model, levels, known, 1, method="sequential", seed=5)
    start = {"levels": encoded(levels), "known": encoded(known)}
    page = page_of("two-orders", str(tmp_path / "two-orders"))
    answer = page.ask(
        address="/api/models/two-orders/fill", body={"start": start, "candidates": 1, "seed": 5, "method": "sequential"}
    )
    page.close()
    (candidate,) = json.loads(answer["text"])["candidates"]
    assert expected.order == "raster-tr"
    np.testing.assert_array_equal(decoded(candidate["image"]["levels"]), expected.levels[0])
