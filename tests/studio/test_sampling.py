"""Sampling over HTTP: the images of `sample` to the bit, in order, with the numbers of the model."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.analysis import ImageQuery, surprisal_maps
from pointillist.model.pixel_model import PixelModel
from pointillist.studio import schemas
from pointillist.studio.errors import RequestError
from pointillist.studio.jobs import make_job
from pointillist.studio.service import StudioService
from tests.equality import equal
from tests.studio.helpers import decoded, encoded, events, images
from tests.tolerances import network_rounding

ROUNDED = 0.5 / 65_535
"""A probability is sent as 16 bits."""
BYTES = {"dtype": "uint8", "shape": [3, 4, 5], "data": ""}


def painted(client: TestClient, model: str, **request: Any) -> list[dict[str, Any]]:
    """The events of a painting that succeeded."""
    answer = client.post(f"/api/models/{model}/sample", json={"samples": [{"seed": 0}], **request})
    assert answer.status_code == 200, answer.text
    found = events(answer.text)
    assert [e["type"] for e in found[:2]] == ["queued", "started"]
    assert {e["type"] for e in found[2:-1]} == {"pixels"}
    assert found[-1]["type"] == "finished", found[-1]
    return found


def start(levels: Any, known: Any, dtype: str = "uint8") -> dict[str, Any]:
    """A request to go on from an image."""
    return {"start": {"levels": encoded(levels, dtype), "known": encoded(known)}}


def model_of(service: StudioService, name: str) -> PixelModel:
    return service.models[name].model


@pytest.mark.parametrize("engine", ["torch", "numpy"])
@pytest.mark.parametrize(
    ("model", "request_"),
    [
        ("gated-pixelcnn", {"size": [3, 7]}),
        ("pixelcnn-pp", {}),
        ("locally-masked-pixelcnn", {"order": "raster-bl"}),
        ("locally-masked-pixelcnn", {}),
    ],
)
def test_the_stream_is_the_image(
    client: TestClient, service: StudioService, model: str, request_: dict[str, Any], engine: str
) -> None:
    """Pixels come once each, in order; put where `sequence` says they make the image, with its entropy and surprise."""
    found = painted(client, model, engine=engine, **request_)
    started, pixels, finished = found[1], found[2:-1], found[-1]
    size = (started["height"], started["width"])
    assert [e["first"] for e in pixels] == np.cumsum([0, *(e["count"] for e in pixels[:-1])]).tolist()
    assert sorted(started["sequence"]) == list(range(size[0] * size[1]))
    loaded = model_of(service, model)
    places = loaded.generation_rank(*size, loaded.order(request_.get("order")))
    assert (places.ravel()[started["sequence"]] == np.arange(places.size)).all()
    maps = surprisal_maps(ImageQuery.of(loaded, images(finished)[0], order=request_.get("order")))
    for name, expected in (("levels", images(finished)[0]), ("entropy", maps.entropy), ("surprisal", maps.surprisal)):
        streamed = np.concatenate([decoded(e[name])[0] for e in pixels])  # [n, c]
        seen = np.zeros_like(streamed)
        seen[started["sequence"]] = streamed
        np.testing.assert_allclose(
            seen.T.reshape(expected.shape), expected, rtol=0, atol=network_rounding(loaded, expected)
        )


def test_distributions_are_those_of_the_model(client: TestClient) -> None:
    """65,535 times each probability, channel by channel; with the conditions of the sample."""
    samples = [{"seed": 1, "conditions": {"label": 0}}, {"seed": 1}]
    found = painted(client, "gated-pixelcnn", samples=samples, distributions=True)
    probs = np.concatenate([decoded(e["probs"]) for e in found[2:-1]], 1).reshape(2, 20, 3, 4) / 65_535
    np.testing.assert_allclose(probs.sum(-1), 1, rtol=0, atol=probs.shape[-1] * ROUNDED)
    for index, spec in enumerate(samples):
        question = {
            "levels": found[-1]["images"][index]["levels"],
            "conditions": spec.get("conditions", {}),
            "row": 2,
            "column": 3,
        }
        answer = client.post("/api/models/gated-pixelcnn/pixel", json=question).json()
        np.testing.assert_allclose(probs[index, 13], [c["probs"] for c in answer["channels"]], rtol=0, atol=2 * ROUNDED)


@pytest.mark.parametrize("model", ["gated-pixelcnn", "locally-masked-pixelcnn"])
def test_known_pixels_are_kept_and_the_rest_is_continued(
    client: TestClient, service: StudioService, model: str
) -> None:
    """As `inpaint` does, from the same uniforms; the stream has the unknown ones only."""
    loaded = model_of(service, model)
    shape = loaded.image.shape
    rng = np.random.default_rng(0)
    levels, known = rng.integers(0, 4, shape), rng.random(shape[1:]) < 0.5
    samples = [{"seed": 5, "index": i} for i in range(2)]
    found = painted(client, model, samples=samples, **start(levels, known))
    expected = pt.inpaint(loaded, levels, known, 2, "sequential", seed=5, order=loaded.order().name)
    expected_levels = expected.levels[expected.numbers.argsort()]
    np.testing.assert_array_equal(images(found[-1]), expected_levels)
    assert sorted(found[1]["sequence"]) == np.flatnonzero(~known).tolist()
    bits = [image["bits"] for image in found[-1]["images"]]
    with torch.no_grad():
        nats = loaded.log_prob(expected_levels)
    np.testing.assert_allclose(bits, -nats / math.log(2), rtol=0, atol=network_rounding(loaded, nats) / math.log(2))


def test_all_conditions(client: TestClient, service: StudioService) -> None:
    """Attributes, a vector, a small picture and words arrive as `sample` takes them."""
    small = np.array([[[0, 7], [3, 4]]])
    conditions = {"attributes": {"hair": "blue"}, "hint": encoded(small), "text": "a red dragon"}
    sent = {**conditions, "others": {"vector": [0.5, -1]}}
    finished = painted(client, "gated-pixelcnn-2", samples=[{"seed": 2, "conditions": sent}])[-1]
    given = {**conditions, "hint": small, "vector": [0.5, -1]}
    expected = pt.sample(model_of(service, "gated-pixelcnn-2"), 1, seed=2, **given)
    np.testing.assert_array_equal(images(finished), expected.levels)
    unconditional = painted(client, "gated-pixelcnn-2", samples=[{"seed": 2}])[-1]
    assert unconditional["images"][0]["sha256"] != finished["images"][0]["sha256"]


def test_a_seed_is_chosen_and_reported_if_none_is_given(client: TestClient, service: StudioService) -> None:
    """So that a lucky image can be painted again."""
    found = painted(client, "gated-pixelcnn", samples=[{}, {}])
    first, second = found[1]["seeds"]
    assert first != second
    again = pt.sample(model_of(service, "gated-pixelcnn"), 1, seed=second).levels
    assert equal(again[0], images(found[-1])[1])


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"samples": []}, 422, "samples"),
        ({"samples": [{"seed": -1}]}, 422, "seed"),
        ({"engine": "integer"}, 400, "no integer program"),
        ({"order": "raster-bl"}, 400, "must be an order that the model was trained on"),
        ({"samples": [{"conditions": {"label": "horse"}}]}, 400, "no class 'horse'"),
        ({"size": [65, 64]}, 413, "over the limit of 4,096"),
        (start(np.zeros((3, 4, 5)), np.ones((4, 5))), 400, "nothing to paint"),
        (start(np.zeros((3, 4, 5)), np.ones((4, 4))), 400, r"\[4, 5\]"),
        (start(np.full((3, 4, 5), 4), np.zeros((4, 5))), 400, "lie in 0 to 3"),
        (start(np.zeros((1, 4, 5)), np.zeros((4, 5))), 400, "must be"),
        (start(np.zeros((0, 4, 5)), np.zeros((4, 5))), 400, "must be"),
        (start(np.zeros((0, 3, 4, 5)), np.zeros((4, 5))), 400, "must be"),
        (start(np.zeros((1, 3, 0, 5)), np.zeros((4, 5))), 400, "at least one pixel"),
        (start(np.zeros((3, 4, 5)), np.full((4, 5), 2)), 400, "0 and 1"),
        (start(np.zeros((3, 4, 5)), np.zeros((4, 5)), "float32"), 400, "float32"),
        ({"start": {"levels": {**BYTES, "data": "AAAA"}, "known": BYTES}}, 400, "has 3 bytes.* takes 60"),
        ({"start": {"levels": {**BYTES, "data": "?"}, "known": BYTES}}, 400, "base64"),
    ],
)
def test_invalid_requests_are_rejected_in_a_sentence(
    client: TestClient, request_: dict[str, Any], status: int, words: str
) -> None:
    """Before the stream begins."""
    answer = client.post("/api/models/gated-pixelcnn/sample", json={"samples": [{}], **request_})
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"].endswith(".")
    assert body["code"] == {400: "invalid", 413: "too_large", 422: "validation"}[status]
    assert re.search(words, body["error"])


def test_a_job_that_would_fill_the_memory_is_rejected(service: StudioService) -> None:
    """By the numbers that it would hold."""
    tight = service.limits.model_copy(update={"numbers": 400})
    request = schemas.SampleRequest(samples=[schemas.SampleSpec()])
    make_job(service.models["gated-pixelcnn"].loaded, request, tight)
    with pytest.raises(RequestError, match="over the limit of 400"):
        make_job(service.models["gated-pixelcnn"].loaded, request.model_copy(update={"distributions": True}), tight)


def test_a_variation_of_strength_0_is_the_image(client: TestClient, service: StudioService) -> None:
    """By seed and index, and by its levels, whose uniforms are recovered; strength 1 is the sample's own image."""
    model = service.models["gated-pixelcnn"].model
    first = pt.sample(model, 1, seed=5).levels
    drawn = np.random.default_rng(0).integers(0, 4, (3, 4, 5))
    own = pt.sample(model, 1, seed=9).levels
    for kind in ("interpolate", "replace"):
        variations = [
            {"seed": 5, "strength": 0.0, "kind": kind},
            {"levels": encoded(drawn), "strength": 0.0, "kind": kind},
            {"levels": encoded(drawn), "strength": 1.0, "kind": kind},
        ]
        samples = [{"seed": 9, "variation": variation} for variation in variations]
        answer = client.post("/api/models/gated-pixelcnn/sample", json={"samples": samples})
        found = images(events(answer.text)[-1])
        np.testing.assert_array_equal(found[0], first[0])
        np.testing.assert_array_equal(found[1], drawn)
        np.testing.assert_array_equal(found[2], own[0])


def test_a_variation_that_cannot_be_is_a_sentence(client: TestClient) -> None:
    """Of another size, or of a started image."""
    small = {"levels": encoded(np.zeros((3, 2, 2))), "strength": 0.5}
    answer = client.post("/api/models/gated-pixelcnn/sample", json={"samples": [{"variation": small}]})
    assert (answer.status_code, "must have the size of the samples" in answer.json()["error"]) == (400, True)
    start = {"levels": encoded(np.zeros((3, 4, 5))), "known": encoded(np.zeros((4, 5)))}
    body = {"samples": [{"variation": {"strength": 0.5}}], "start": start}
    answer = client.post("/api/models/gated-pixelcnn/sample", json=body)
    assert (answer.status_code, "do not go together" in answer.json()["error"]) == (400, True)


def test_a_variation_of_an_image_that_is_never_painted_is_refused(client: TestClient, service: StudioService) -> None:
    """At temperature 0 the model paints one image, and another one has no uniforms; that takes a pass to know."""
    model = service.models["gated-pixelcnn"].model
    image = pt.sample(model, 1, temperature=0.0).levels[0]
    image[0, 0, 0] = (image[0, 0, 0] + 1) % 4
    body = {"samples": [{"variation": {"levels": encoded(image), "strength": 0.5}}], "temperature": 0.0}
    last = events(client.post("/api/models/gated-pixelcnn/sample", json=body).text)[-1]
    assert (last["type"], last["code"]) == ("failed", "invalid")
    assert "never paints there at temperature 0 and top-p 1 (probability zero): use temperature 1" in last["error"]


def test_each_sample_may_start_from_an_image_of_its_own(client: TestClient, service: StudioService) -> None:
    """Each becomes what it would have become without the interruption."""
    model = service.models["gated-pixelcnn"].model
    whole = pt.sample(model, 2, seed=5).levels
    known = np.zeros((4, 5))
    known[:2] = 1
    start = {"levels": encoded(whole * known.astype(int)), "known": encoded(known)}
    body = {"samples": [{"seed": 5, "index": 0}, {"seed": 5, "index": 1}], "start": start}
    answer = client.post("/api/models/gated-pixelcnn/sample", json=body)
    np.testing.assert_array_equal(images(events(answer.text)[-1]), whole)
    answer = client.post("/api/models/gated-pixelcnn/sample", json={**body, "samples": [{"seed": 5}]})
    assert "must be one image, or 1" in answer.json()["error"]
