"""One studio for all tests: they share its models, as browsers do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from fastapi.testclient import TestClient

from pointillist.studio.http.app import create_app
from pointillist.studio.service import StudioService
from tests.studio import helpers


@pytest.fixture(scope="session")
def service() -> Iterator[StudioService]:
    """Four models: gated-pixelcnn (RGB, labels), pixelcnn-pp (mixture), locally-masked-pixelcnn (palette), and one
    with all other conditions. Their weights are the same in any order of tests: one in six draws is a dead network."""
    torch.manual_seed(0)
    found = helpers.service(helpers.labelled(), helpers.grey(), helpers.coloured(), helpers.upscaler())
    assert [(info.state, info.error) for info in found.models.infos()] == [("ready", None)] * 4
    yield found
    found.close()


@pytest.fixture(scope="session")
def client(service: StudioService) -> TestClient:
    """Its HTTP interface, without a network."""
    return TestClient(create_app(service), base_url=helpers.HOST, raise_server_exceptions=False)
