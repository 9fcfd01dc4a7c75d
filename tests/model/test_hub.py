"""Pushing a model to the hub: what would be uploaded is a whole model folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import pointillist as pt
from tests.equality import equal


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
    """Both spellings upload weights, settings and card, which load as the same model."""
    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    model = pt.build("pixelcnn", shape=(1, 3, 4), levels=3, classes=["a", "b"], channels=2, layers=1, head_channels=2)
    FakeApi.uploaded = tmp_path / "first"
    model.push_to_hub("user/model")
    FakeApi.uploaded = tmp_path / "second"
    model.save_pretrained(tmp_path / "local", push_to_hub=True, repo_id="user/model")
    for name in ("first", "second", "local"):
        loaded = pt.load(tmp_path / name)
        assert loaded.config == model.config
        assert (tmp_path / name / "README.md").read_text(encoding="utf-8").startswith("---\nlibrary_name: pointillist")
        for a, b in zip(model.parameters(), loaded.parameters(), strict=True):
            assert equal(a, b)
