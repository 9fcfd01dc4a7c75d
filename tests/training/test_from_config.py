"""`train_from_config`: a run file does in Python what it does on the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import pointillist as pt
from pointillist.files.checkpoint.header import read_config
from pointillist.training.runs import from_config as module
from pointillist.training.runs.from_config import prepare_run

from .helpers import assert_same_weights, tiny_data, weights

NETWORK = {"channels": 4, "layers": 1, "head_channels": 4}
RUN = """
[model]
order_channels = 4
[model.network]
channels = 4
layers = 1
head_channels = 4
[data]
source = "uci-digits"
[train]
steps = 2
batch_size = 4
machine.threads = 1
machine.precision = "fp32"
"""


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_data", lambda source, options, spec, classes: tiny_data())


def test_a_run_file_trains_resumes_and_is_fine_tuned(tmp_path: Path) -> None:
    """The folder holds the model and all settings; overrides win; a resumed run continues."""
    (tmp_path / "a.toml").write_text(RUN)
    out = tmp_path / "run"
    result = pt.train_from_config(tmp_path / "a.toml", train={"out": out, "optimizer.lr": 0.5})
    assert (result.steps, result.folder) == (2, out)
    written = tomllib.loads((out / "run.toml").read_text())
    assert (written["train"]["optimizer"]["lr"], written["train"]["steps"]) == (0.5, 2)
    assert written["model"]["network"].items() >= NETWORK.items()
    assert list((out / "samples").glob("*.png"))
    assert "out" not in read_config(out)["training"]["record"]["train"]
    assert_same_weights(weights(pt.load(out)), weights(result.model))
    with pytest.raises(pt.ConfigError, match="already holds a run"):
        pt.train_from_config(tmp_path / "a.toml", train={"out": out})
    with pytest.raises(pt.ConfigError, match=r"`train\.optimizer\.lr` \(=1\) cannot change"):
        pt.train_from_config(resume=True, train={"out": out, "optimizer": {"lr": 1}})
    assert pt.train_from_config(resume=True, train={"out": out, "steps": 3}).steps == 3
    tuned = prepare_run(tmp_path / "a.toml", {"model.init_from": str(out), "train.out": tmp_path / "tuned"})
    assert tuned.source is not None
    assert tuned.config.model.network["channels"] == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "DATA is missing"),
        ({"train": {"lr": 1}}, "did you mean `train.optimizer.lr`"),
        ({"train": 3}, "must hold settings"),
        ({"resume": True}, "needs the folder"),
        ({"config": "missing.toml"}, "missing.toml does not exist"),
        ({"config": {"data.source": "x"}, "resume": True}, "cannot be used with `resume`"),
    ],
)
def test_wrong_settings_are_reported_before_images_are_read(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(pt.ConfigError, match=words):
        pt.train_from_config(**settings)


def test_a_run_is_named_after_its_images_and_its_model() -> None:
    run = prepare_run({"data": {"source": "folder/pets.npz"}, "train.steps": 3}, {"train.optimizer.lr": 0.5})
    assert run.out == Path("runs/pets-gated-pixelcnn")
    assert (run.config.train.steps, run.config.train.optimizer.lr) == (3, 0.5)
