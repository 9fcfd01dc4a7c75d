"""One seed, one picture: the command line, Python, the studio and a job sample the same levels from the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import pointillist as pt
from pointillist.commands.sampling.sample import job
from pointillist.commands.sampling.settings import SampleSettings
from pointillist.model.pixel_model import PixelModel
from pointillist.studio.http.app import create_app
from pointillist.studio.service import LIMITS
from pointillist.zoo import list_pretrained
from tests.cli.helpers import run
from tests.studio.helpers import HOST, encoded, events, images
from tests.studio.helpers import service as studio

TUNED = {"guidance": 3.0, "temperature": 0.8, "top_p": 0.95}
PLAIN = {"guidance": 1.0, "temperature": 1.0, "top_p": 1.0}
SEED = 7


@pytest.fixture(scope="module", params=[model.name for model in list_pretrained()])
def model(request: pytest.FixtureRequest) -> PixelModel:
    return pt.load(request.param)


def name_of(model: PixelModel) -> str:
    assert model.program_folder is not None
    return model.program_folder.name


def conditions_of(model: PixelModel, tmp_path: Path) -> dict[str, Any]:
    """A label, a prompt and a hint, as far as the model takes them."""
    reader, keywords = model.conditions.hint_reader, {one.keyword for one in model.conditions.readers.values()}
    out: dict[str, Any] = {}
    if "label" in keywords:
        out["label"] = model.config.classes[-1]
    if "text" in keywords:
        out["text"] = "a red heart"
    if reader is not None and reader.image is not None:
        size = (model.image.height, model.image.width)
        levels = np.random.default_rng(0).integers(0, reader.image.levels, (reader.image.channels, *size))
        np.save(tmp_path / "hint.npy", levels)
        out["hint"] = levels
    return out


def used(tuned: dict[str, float], conditions: dict[str, Any]) -> dict[str, float]:
    """Settings without guidance if there is no condition: what changes nothing is refused, but by a studio."""
    return {key: value for key, value in tuned.items() if conditions or key != "guidance"}


def by_command(name: str, conditions: dict[str, Any], tuned: dict[str, float], tmp_path: Path) -> np.lib.npyio.NpzFile:
    options = [part for key, value in used(tuned, conditions).items() for part in (f"--{key.replace('_', '-')}", value)]
    given = {**conditions, "hint": tmp_path / "hint.npy"} if "hint" in conditions else conditions
    options += [part for key, value in given.items() for part in (f"--{key}", value)]
    out = tmp_path / "command.npz"
    run("sample", name, "-n", 2, "--seed", SEED, "--out", out, "--force", *options)
    return np.load(out)


def by_job(name: str, conditions: dict[str, Any], tuned: dict[str, float], tmp_path: Path) -> dict[str, np.ndarray]:
    given = {key: [value] for key, value in conditions.items() if key != "hint"}
    hint = {"hint": tmp_path / "hint.npy"} if "hint" in conditions else {}
    settings = SampleSettings(model=name, n=2, seed=SEED, **used(tuned, conditions), **given, **hint)
    return job(settings).compute(0, 2)


def by_studio(model: PixelModel, conditions: dict[str, Any], tuned: dict[str, float]) -> list[dict[str, Any]]:
    """Ask a studio, and return the events of its stream."""
    sent = {**conditions, "hint": encoded(conditions["hint"])} if "hint" in conditions else conditions
    service = studio(model, limits=LIMITS)
    client = TestClient(create_app(service), base_url=HOST, raise_server_exceptions=False)
    few = model.image.levels <= 256  # of 65,536 levels, the probabilities of one image fit the limits of a studio
    samples = [{"seed": SEED, "index": i, "conditions": sent} for i in range(2 if few else 1)]
    body = {"samples": samples, "distributions": few, **tuned}
    answer = client.post(f"/api/models/{service.models.infos()[0].name}/sample", json=body)
    service.close()
    assert answer.status_code == 200, answer.text
    return events(answer.text)


@pytest.mark.parametrize("tuned", [PLAIN, TUNED], ids=["plain", "tuned"])
def test_same_seed_same_levels(model: PixelModel, tuned: dict[str, float], tmp_path: Path) -> None:
    conditions = conditions_of(model, tmp_path)
    samples = pt.sample(model, 2, seed=SEED, **conditions, **used(tuned, conditions))
    assert samples.engine == "integer"
    command, stored = (road(name_of(model), conditions, tuned, tmp_path) for road in (by_command, by_job))
    stream = by_studio(model, conditions, tuned)
    np.testing.assert_array_equal(command["levels"], samples.levels)
    np.testing.assert_array_equal(stored["levels"], samples.levels)
    shown = 2 if model.image.levels <= 256 else 1
    np.testing.assert_array_equal(images(stream[-1]), samples.levels[:shown])
    np.testing.assert_array_equal(command["nats"], samples.nats)
    np.testing.assert_array_equal(stored["nats"], samples.nats)
    assert stream[1]["engine"] == "integer"


def test_rules_too(tmp_path: Path) -> None:
    """Maps by rules are those of the integer program on the command line and in Python."""
    rules = tmp_path / "rules.toml"
    rules.write_text('adjacency = "observed"\n')
    out = tmp_path / "maps.npz"
    shown = run("sample", "dungeons", "-n", 2, "--seed", SEED, "--rules", rules, "--size", "20x24", "--out", out).output
    samples = pt.sample("dungeons", 2, seed=SEED, rules=rules, size=(20, 24))
    assert samples.engine == "integer"
    assert "(integer program)" in shown
    np.testing.assert_array_equal(np.load(out)["levels"], samples.levels)
    np.testing.assert_array_equal(np.load(out)["nats"], samples.nats)
