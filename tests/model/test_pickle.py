"""Models as Python objects: pickled, copied, sent to another process or to the hub, called without `log_prob`."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import pointillist as pt
from tests.equality import equal


def by_torch(model: pt.PixelModel) -> Any:
    """Write and read with torch alone."""
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def by_joblib(model: pt.PixelModel) -> Any:
    """Write and read as scikit-learn's users do."""
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def by_pickle(model: pt.PixelModel) -> Any:
    return pickle.loads(pickle.dumps(model))


COPIES: list[Callable[[pt.PixelModel], Any]] = [by_pickle, by_torch, by_joblib, copy.deepcopy]


def levels(model: pt.PixelModel, engine: str = "auto") -> Tensor:
    return pt.sample(model, 2, seed=3, engine=engine).levels


@pytest.mark.parametrize("network", [model.name for model in pt.list_models()])
def test_every_network_survives_a_pickle(network: str) -> None:
    """Same likelihood to the bit; weights loaded later count as trained."""
    model = pt.build(network, shape=(1, 4, 4), levels=4, classes=2, preset="tiny")
    x = torch.randint(0, 4, (2, 1, 4, 4))
    copied = by_pickle(model)
    assert equal(copied.log_prob(x, label=1), model.log_prob(x, label=1))
    assert not copied.initialised
    copied.load_state_dict(model.state_dict())
    assert copied.initialised


@pytest.mark.parametrize("duplicate", COPIES)
def test_a_used_model_is_copied_with_its_integer_program(
    duplicate: Callable[[pt.PixelModel], Any], tmp_path: Path
) -> None:
    """The compiled program is an address, which stays behind; the integers come along, where the folder does not."""
    pt.load("dungeons").save_pretrained(tmp_path / "maps")
    model = pt.load(tmp_path / "maps")
    used = pt.sample(model, 2, seed=3)
    copied, early = duplicate(model), duplicate(pt.load(tmp_path / "maps"))
    for file in (tmp_path / "maps").iterdir():
        file.unlink()
    for result in (pt.sample(copied, 2, seed=3), pt.sample(early, 2, seed=3)):
        assert result.engine == used.engine == "integer"
        assert equal(result.levels, used.levels)


def test_a_spawned_worker_samples_the_same() -> None:
    model = pt.load("dungeons")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert equal(pool.submit(levels, model).result(timeout=120), levels(model))


def test_the_call_validates_as_log_prob_does() -> None:
    """Every integer type is taken; anything else gets the same sentence."""
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=4, channels=3, layers=1, classes=2)
    x = torch.randint(0, 4, (3, 1, 2, 2))
    expected = model.log_prob(x)
    accepted: list[Any] = [x.int(), x.short(), x.byte(), x.numpy(), x.numpy().astype(np.uint16), x.tolist()]
    for same in accepted:
        assert equal(model(same), expected)
    rejected: list[Any] = [x.float(), x.bool(), x[0], x + 1 + x.max(), x - 5, x.expand(-1, 3, -1, -1), "x"]
    for wrong in rejected:
        with pytest.raises(pt.PointillistError) as of_call:
            model(wrong)
        with pytest.raises(pt.PointillistError) as of_log_prob:
            model.log_prob(wrong)
        assert str(of_call.value) == str(of_log_prob.value)
    with pytest.raises(pt.ConfigError, match=r"`model.log_prob\(x, label=3\)` takes conditions"):
        model(x, 1)


def test_a_compiled_call_is_one_graph() -> None:
    """The values are not looked at while torch traces."""
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=4, channels=3, layers=1)
    x = torch.randint(0, 4, (3, 1, 2, 2))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert equal(compiled(x), model(x))


class FakeApi:
    """Takes the calls of `push_to_hub` and keeps the uploaded folder; no test here needs a network."""

    uploaded: Path

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def create_repo(self, repo_id: str, **kwargs: Any) -> Any:
        return type("Repo", (), {"repo_id": repo_id})()

    def upload_folder(self, *, folder_path: str | Path, repo_id: str, **kwargs: Any) -> str:
        shutil.copytree(folder_path, FakeApi.uploaded)
        return f"uploaded to {repo_id}"


def test_push_to_hub_uploads_a_model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, settings and card, which load as the same model."""
    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    model = pt.build("pixelcnn", shape=(1, 3, 4), levels=3, classes=["a", "b"], channels=2, layers=1, head_channels=2)
    FakeApi.uploaded = tmp_path / "first"
    model.push_to_hub("user/model")
    model.save_pretrained(tmp_path / "local")
    for name in ("first", "local"):
        loaded = pt.load(tmp_path / name)
        assert loaded.config == model.config
        assert (tmp_path / name / "README.md").read_text(encoding="utf-8").startswith("---\nlibrary_name: pointillist")
        for a, b in zip(model.parameters(), loaded.parameters(), strict=True):
            assert equal(a, b)
