"""The inside of a network over HTTP: the numbers of `pointillist.analysis` and of the activations themselves."""

from __future__ import annotations

import threading

import numpy as np
import torch
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.model.hooks import run_with_cache
from pointillist.studio import schemas
from pointillist.studio.service import StudioService
from tests.studio.helpers import decoded, encoded
from tests.tolerances import network_rounding

MODEL, OTHER = "gated-pixelcnn", "pixelcnn-pp"


def test_a_receptive_field_is_measured_once(client: TestClient, service: StudioService) -> None:
    """2 where the pixel can depend, 1 for the blind spot, 0 for what is later; the second answer is the first."""
    body = {"height": 4, "width": 5, "row": 2, "column": 1}
    found = client.post(f"/api/models/{MODEL}/field", json=body).json()
    expected = pt.receptive_field(service.models[MODEL].model, 2, 1)
    reach = decoded(found["reach"])
    depends, earlier = expected.depends.any(0), expected.earlier.any(0)
    earlier[2, 1] = False
    np.testing.assert_array_equal(reach == 2, depends & earlier)
    np.testing.assert_array_equal(reach >= 1, earlier)
    assert (found["seen"], found["earlier"]) == ((reach == 2).sum(), 2 * 5 + 1)
    known = service.models[MODEL].loaded.fields
    count = len(known)
    assert client.post(f"/api/models/{MODEL}/field", json=body).json() == found
    assert len(known) == count
    assert client.post(f"/api/models/{MODEL}/field", json={**body, "row": 4}).status_code == 400


def test_activations_are_those_of_the_network(client: TestClient, service: StudioService) -> None:
    """By name; without one, the first; a name that is none is rejected."""
    levels = np.random.default_rng(1).integers(0, 4, (3, 4, 5))
    address = f"/api/models/{MODEL}/activation"
    first = client.post(address, json={"levels": encoded(levels)}).json()
    assert first["name"] == first["names"][0]
    name = next(one for one in first["names"] if one.endswith("hook_skip"))
    found = client.post(address, json={"levels": encoded(levels), "name": name}).json()
    model = service.models[MODEL].model
    _, cache = run_with_cache(model, torch.from_numpy(levels)[None], names=name)
    expected = cache[name][0].square().mean(0).sqrt().numpy()
    within = network_rounding(model, expected)
    np.testing.assert_allclose(decoded(found["size"]), expected, rtol=0, atol=within)
    assert found["features"] == cache[name].shape[1]
    assert abs(found["top"] - expected.max()) < within
    answer = client.post(address, json={"levels": encoded(levels), "name": "nothing"})
    assert answer.status_code == 400
    assert "There is no activation" in answer.json()["error"]


def test_a_field_is_measured_without_the_hooks_of_another_query(service: StudioService) -> None:
    """The model is copied when no query runs: hooks that leave out a layer would be copied with it."""
    entry = service.models[MODEL]
    query = schemas.FieldQuery(height=4, width=5, row=3, column=3)
    found: list[schemas.FieldReach] = []
    thread = threading.Thread(target=lambda: found.append(service.field(MODEL, query)))
    with entry.query_lock:
        output = entry.model.backbone.get_submodule("output")
        handle = output.register_forward_hook(lambda module, inputs, value: torch.zeros_like(value))
        thread.start()
        thread.join(0.5)
        assert not found
        handle.remove()
    thread.join(60)
    assert found[0].seen == pt.receptive_field(entry.model, 3, 3).depends.any(0).sum() - 1
