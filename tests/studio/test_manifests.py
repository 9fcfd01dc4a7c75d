"""Recipes: painted again to the bit here; what is not the same is said plainly."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from tests.studio.helpers import events, images, packed


def recipe(client: TestClient, **request: Any) -> dict[str, Any]:
    """The end of a painting."""
    asked = {"canvases": [{"index": i, "told": {"label": "dog"}} for i in range(2)], "temperature": 0.8, **request}
    found = events(client.post("/api/models/gated-pixelcnn/paint", json=asked).text)[-1]
    assert found["type"] == "finished", found
    return found


def again(client: TestClient, kept: dict[str, Any], model: str = "gated-pixelcnn") -> dict[str, Any]:
    """What comes out of a recipe."""
    answer = client.post(f"/api/models/{model}/repaint", json={"recipe": kept})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_recipe_is_complete(client: TestClient) -> None:
    """Seeds, order, size and engine are filled in, though none was asked for; it repaints to the bit."""
    known = np.arange(20).reshape(4, 5) % 2
    finished = recipe(client, start={"levels": packed(np.ones((3, 4, 5))), "known": packed(known)})
    request = finished["recipe"]["request"]
    assert all(canvas["seed"] is not None for canvas in request["canvases"])
    assert (request["order"], request["size"]) == ("raster", [4, 5])
    assert request["engine"] in ("cpu", "step")
    found = again(client, finished["recipe"])
    assert found["identical"] == [True, True]
    assert found["same_model"]
    assert found["same_machine"]
    assert found["message"] == "All 2 images are identical to the bit."
    assert images(found).tolist() == images(finished).tolist()


def test_one_canvas_of_several_can_be_kept(client: TestClient) -> None:
    """As the documentation says: that canvas alone, its hash alone; it does not depend on those beside it."""
    finished = recipe(client)
    kept = finished["recipe"]
    kept["request"]["canvases"], kept["sha256"] = kept["request"]["canvases"][1:], kept["sha256"][1:]
    found = again(client, kept)
    assert found["message"] == "Identical to the bit."
    assert images(found).tolist() == images(finished)[1:].tolist()


def test_a_changed_hash_is_noticed(client: TestClient) -> None:
    """Model and machine are the same, so somebody changed the file."""
    kept = recipe(client)["recipe"]
    kept["sha256"][1] = "0" * 64
    found = again(client, kept)
    assert found["identical"] == [True, False]
    assert found["message"].startswith("1 of 2 images differ, although")


def test_a_changed_setting_is_noticed(client: TestClient) -> None:
    """The image is another one."""
    kept = recipe(client, temperature=1.0)["recipe"]
    kept["request"]["temperature"] = 0.0
    assert again(client, kept)["identical"] != [True, True]


def test_other_weights_are_named(client: TestClient) -> None:
    """It is painted all the same, if the images are of the same kind."""
    kept = recipe(client)["recipe"]
    kept["model"]["sha256"] = "f" * 64
    found = again(client, kept)
    assert not found["same_model"]
    assert found["identical"] == [True, True]  # the hash of the image decides
    kept["sha256"] = ["0" * 64] * 2
    assert again(client, kept)["message"] == "2 of 2 images differ: this is another model than that of the recipe."


def test_another_version_is_named(client: TestClient) -> None:
    """Another torch may round otherwise."""
    kept = recipe(client)["recipe"]
    kept["machine"]["torch"], kept["sha256"] = "1.0.0", ["0" * 64] * 2
    found = again(client, kept)
    assert found["same_model"]
    assert not found["same_machine"]
    assert "other versions" in found["message"]


def test_a_recipe_that_does_not_hold_together_is_refused(client: TestClient) -> None:
    """Of another kind of image, with a hash too many, without a seed, or of another version of the format."""
    kept = recipe(client)["recipe"]
    canvases = kept["request"]["canvases"]
    seedless = [{**canvases[0], "seed": None}, canvases[1]]
    for faulty, model, status, words in [
        (kept, "pixelcnn-pp", 400, "label"),
        ({**kept, "sha256": kept["sha256"] * 2}, "gated-pixelcnn", 400, "4 hashes for 2 canvases"),
        ({**kept, "request": {**kept["request"], "canvases": seedless}}, "gated-pixelcnn", 400, "without a seed"),
        ({**kept, "version": 2}, "gated-pixelcnn", 422, "version"),
        ({**kept, "sha256": ["zz", "zz"]}, "gated-pixelcnn", 422, "sha256"),
    ]:
        answer = client.post(f"/api/models/{model}/repaint", json={"recipe": faulty})
        assert answer.status_code == status, answer.text
        assert words in answer.json()["error"]
