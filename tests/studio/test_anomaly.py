"""Images against normal ones over HTTP: the verdict of the detector that is kept beside a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.studio.http.app import create_app
from pointillist.studio.service import StudioService
from tests.anomaly.helpers import samples, truth
from tests.studio.helpers import HOST, SMALL, decoded, encoded, grey
from tests.tolerances import network_rounding


@contextmanager
def opened(*models: str | pt.PixelModel, detectors: Sequence[Path] = ()) -> Iterator[TestClient]:
    """A studio whose models are ready."""
    service = StudioService(models, SMALL, detectors=detectors)
    with TestClient(create_app(service), base_url=HOST) as client:
        service.models.wait(600)
        yield client


def fitted(**settings: Any) -> pt.AnomalyDetector:
    """A detector of images of the model that is the truth."""
    return pt.AnomalyDetector(truth(), **settings).fit(samples(60, seed=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a model, without a detector."""
    truth().save_pretrained(tmp_path / "own")
    return tmp_path / "own"


def test_without_a_detector_the_answer_names_the_command(folder: Path) -> None:
    """One that is fitted meanwhile is used at once, and so is another that replaces it."""
    x = samples(1, seed=2)[0].numpy()
    with opened(str(folder)) as client:
        answer = client.post("/api/models/own/anomaly", json={"levels": encoded(x)})
        assert (answer.status_code, answer.json()["code"]) == (404, "no_detector")
        assert f"`pointillist detect {folder} DATA --fit NORMAL`" in answer.json()["error"]
        for smoothing in (1.5, 3.0):
            detector = fitted(smoothing=smoothing)
            detector.save(folder)
            found = client.post("/api/models/own/anomaly", json={"levels": encoded(x)}).json()
            expected = detector.explain(x).z_map
            within = network_rounding(detector.model, expected)
            np.testing.assert_allclose(decoded(found["distance"]), expected, rtol=0, atol=within)


def test_a_detector_elsewhere_is_found_by_its_model(tmp_path: Path) -> None:
    """Another model has none; its sentence names the option. A folder without a detector is rejected at once."""
    place = fitted().save(tmp_path / "detector")
    with opened(grey(), truth(), detectors=[place]) as client:
        x = samples(1, seed=2)[0].numpy()
        assert client.post("/api/models/pixelcnn/anomaly", json={"levels": encoded(x)}).status_code == 200
        answer = client.post("/api/models/pixelcnn-pp/anomaly", json={"levels": encoded(np.zeros((1, 6, 6)))})
        assert (answer.status_code, answer.json()["code"]) == (404, "no_detector")
        assert "`--detector DIR`" in answer.json()["error"]
    with pytest.raises(ConfigError, match="has no detector"):
        StudioService([grey()], SMALL, detectors=[tmp_path / "nowhere"])


def test_a_background_model_must_be_open_too(tmp_path: Path) -> None:
    """It is found by its hash."""
    background = pt.build("pixelcnn", shape=(1, 10, 10), levels=4, channels=4, layers=1)
    place = fitted(background=background).save(tmp_path / "detector")
    body = {"levels": encoded(samples(1, seed=2)[0].numpy())}
    with opened(truth(), detectors=[place]) as client:
        answer = client.post("/api/models/pixelcnn/anomaly", json=body)
        assert answer.json()["code"] == "no_detector"
        assert "background model that is not open" in answer.json()["error"]
    with opened(truth(), background, detectors=[place]) as client:
        found = client.post("/api/models/pixelcnn/anomaly", json=body).json()
        assert "background" in {one["name"] for one in found["statistics"]}


def test_images_that_it_cannot_judge_are_rejected(tmp_path: Path) -> None:
    """Of another size; or of a detector that needs conditions. One of another model is said to be."""
    detector = fitted()
    place = detector.save(tmp_path / "detector")
    with opened(truth(), detectors=[place]) as client:
        answer = client.post("/api/models/pixelcnn/anomaly", json={"levels": encoded(np.zeros((1, 12, 10)))})
        assert answer.status_code == 400
        assert "12x10 do not fit this detector" in answer.json()["error"]
        detector.set_params(conditions=True).save(place)
        answer = client.post("/api/models/pixelcnn/anomaly", json={"levels": encoded(np.zeros((1, 10, 10)))})
        assert answer.json()["code"] == "no_detector"
        assert "that judges images alone" in answer.json()["error"]
    grey().save_pretrained(tmp_path / "other")
    detector.save(tmp_path / "other")
    with opened(str(tmp_path / "other")) as client:
        answer = client.post("/api/models/other/anomaly", json={"levels": encoded(np.zeros((1, 6, 6)))})
        assert answer.status_code == 400
        assert "was fitted with another model" in answer.json()["error"]
