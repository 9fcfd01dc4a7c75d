"""A watched run: read from its folder, each checkpoint loaded, jobs that have begun undisturbed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.model.training_record import TrainingRecord
from pointillist.studio import schemas
from pointillist.studio.answers.training_run import TrainingRun
from pointillist.studio.http.app import create_app
from pointillist.studio.service import StudioService
from tests.studio.helpers import HOST, SMALL, events, labelled


def write_checkpoint(run: Path, step: int) -> pt.PixelModel:
    """What a training exports."""
    model = labelled()
    model.training_record = TrainingRecord(step=step)
    model.save_pretrained(run / "last")
    return model


def wait_until(found: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not found() and time.monotonic() < until:
        time.sleep(0.05)
    assert found()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[StudioService]:
    """A studio that watches an empty folder."""
    found = StudioService([], SMALL, run=tmp_path)
    yield found
    found.close()


def test_curves_sheets_and_speed_are_read(tmp_path: Path) -> None:
    """Lines that are half written, damaged or not finite are left out."""
    lines = [
        {"step": 10, "bits_per_dim": 3.5, "speed": 80.0}, {"step": 10, "valid_bits_per_dim": 3.4},
        {"step": 20, "bits_per_dim": 2.5, "speed": 90.0}, {"step": "x", "bits_per_dim": 1},
        {"step": 30, "bits_per_dim": True},
    ]  # fmt: skip
    text = "\n".join([*map(json.dumps, lines), '{"step": 30, "bits_per_dim": NaN}', '{"step": 40, "bits'])
    (tmp_path / "metrics.jsonl").write_text(text)
    (tmp_path / "samples").mkdir()
    for name in ("step-0000020.png", "step-0000005.png", "step-x.png", "step-0000030.txt"):
        (tmp_path / "samples" / name).write_bytes(b"")
    found = TrainingRun(tmp_path).state("digits", checkpoint=20)
    assert [(point.step, point.bits_per_dim) for point in found.train] == [(10, 3.5), (20, 2.5)]
    assert [(point.step, point.bits_per_dim) for point in found.valid] == [(10, 3.4)]
    assert (found.images_per_second, found.sheets, found.checkpoint) == (90.0, [5, 20], 20)
    assert found.age is not None
    assert found.age < 60


def test_a_long_curve_is_thinned_and_keeps_its_end(tmp_path: Path) -> None:
    """To what a page can draw."""
    lines = [json.dumps({"step": step, "bits_per_dim": 1.0}) for step in range(1, 2502)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    found = TrainingRun(tmp_path).state("digits", checkpoint=None).train
    assert len(found) <= 1000
    assert found[-1].step == 2501


def test_what_is_no_run_is_rejected(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(ConfigError, match="has neither"):
        TrainingRun.check(tmp_path)


@pytest.mark.slow
def test_each_checkpoint_is_loaded(tmp_path: Path, service: StudioService) -> None:
    """The model waits for the first, changes with the second, and stays if a third is damaged."""
    (entry,) = service.models.entries.values()
    with TestClient(create_app(service), base_url=HOST) as client:
        assert client.get("/api/run").json()["checkpoint"] is None
        assert client.get("/api/info").json()["run"] == tmp_path.name
        write_checkpoint(tmp_path, 100)
        wait_until(lambda: entry.step == 100)
        first = entry.sha256
        running = service.make_job(entry.id, schemas.SampleRequest(samples=[schemas.SampleSpec(seed=1)]))
        second = write_checkpoint(tmp_path, 200)
        wait_until(lambda: client.get("/api/run").json()["checkpoint"] == 200)  # loaded while somebody asks
        assert entry.sha256 != first
        torch.testing.assert_close(entry.model.state_dict(), second.state_dict())
        ended: list[object] = []
        service.submit(running, ended.append)
        wait_until(lambda: bool(ended) and isinstance(ended[-1], schemas.Finished | schemas.Failed))
        assert isinstance(ended[-1], schemas.Finished)  # with the weights that it began with
        assert ended[-1].manifest.model.sha256 == first
        (tmp_path / "last" / "config.json").write_text("{}")
        time.sleep(3)
        assert client.get("/api/info").json()["models"][0]["state"] == "ready"
        sampled = client.post(f"/api/models/{entry.id}/sample", json={"samples": [{}]})
        assert events(sampled.text)[-1]["type"] == "finished"


def test_sheets_are_those_of_the_run(tmp_path: Path, service: StudioService) -> None:
    """By step; nothing else of the folder can be named."""
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "step-0000020.png").write_bytes(b"\x89PNG")
    with TestClient(create_app(service), base_url=HOST) as client:
        assert client.get("/api/run/sheets/20").content == b"\x89PNG"
        assert client.get("/api/run/sheets/21").status_code == 404
        assert client.get("/api/run/sheets/..%2f..%2fmetrics.jsonl").status_code in (404, 422)
