"""What is listed can be built, and a model described from its settings and header is the model that is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import pointillist as pt
from pointillist.model.folder.building import KINDS, preset_image
from pointillist.model.folder.opening import LISTING, ModelSummary
from pointillist.model.folder.settings import describe_model
from pointillist.networks import entry, names, register_network
from pointillist.networks.registry import _ENTRIES
from tests.scripts import script


@pytest.fixture(scope="module")
def summaries() -> dict[str, ModelSummary]:
    return {summary.name: summary for summary in pt.list_models()}


def test_the_listing_is_current() -> None:
    """It is what `tools/make_listing.py` writes."""
    assert LISTING.read_text(encoding="utf-8") == script("make_listing").listing(), "run python tools/make_listing.py"


def test_a_registered_network_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured when it is asked for, as it is in no file."""
    monkeypatch.setattr("pointillist.networks.registry._ENTRIES", dict(_ENTRIES))
    register_network(replace(entry("pixelcnn"), name="mine", summary="A network of one's own."))
    mine, theirs = (next(s for s in pt.list_models() if s.name == name) for name in ("mine", "pixelcnn"))
    assert mine == replace(theirs, name="mine", summary=mine.summary)


def test_every_network_is_listed_with_its_sizes(summaries: dict[str, ModelSummary]) -> None:
    """Ours for 28 x 28 grey images, a paper's for those of the paper."""
    assert list(summaries) == names()
    for name, summary in summaries.items():
        assert list(summary.presets) == entry(name).preset_names
        assert summary.presets["tiny"] == pt.build(name, shape=(1, 28, 28), preset="tiny").num_parameters()
        for preset, paper in entry(name).papers.items():
            assert preset_image(entry(name), preset).shape == paper.shape
            with torch.device("meta"):
                model = pt.build(name, shape=paper.shape, levels=paper.levels, preset=preset)
            assert summary.presets[preset] == model.num_parameters()
            assert pt.TrainConfig.from_dict(summary.training[preset]).optimizer.name == paper.train["optimizer.name"]


def test_what_is_listed_can_be_built_and_the_rest_not(summaries: dict[str, ModelSummary]) -> None:
    for name, summary in summaries.items():
        assert {"labels", "attributes", "a vector"} <= set(summary.conditions)
        assert summary.orders[0] == "raster"
        assert list(summary.likelihoods) == list(KINDS)
        assert summary.likelihoods["palette, codes"] == ["categorical", "factored"]
        for kind, likelihoods in summary.likelihoods.items():
            for likelihood in ("bernoulli", "categorical", "mixture"):
                if likelihood in likelihoods:
                    built = pt.build(name, shape=KINDS[kind], preset="tiny", likelihood=likelihood)
                    assert built.likelihood.name == likelihood
                else:
                    with pytest.raises(pt.ConfigError):
                        pt.build(name, shape=KINDS[kind], preset="tiny", likelihood=likelihood)
    assert [name for name, summary in summaries.items() if "S-curve" in summary.orders] == ["locally-masked-pixelcnn"]


def check(folder: Path) -> None:
    """Compare the description of a folder with the loaded model; a setting newer than the folder has its default."""
    model, found = pt.load(folder), describe_model(folder)
    config = model.config
    found["network"] = type(config.backbone)().model_dump(mode="json") | found["network"]
    expected: dict[str, Any] = {
        "model": config.model_type,
        "parameters": model.num_parameters(),
        "image": model.image.model_dump(mode="json", exclude={"palette", "level_names", "min_is_white"}),
        "level_names": list(model.image.level_names or ()),
        "likelihood": model.likelihood.name,
        "classes": list(config.classes),
        "conditions": config.describe_conditions(),
        "orders": list(config.orders),
        "size": "fixed" if model.fixed_size else "any",
        "network": config.backbone.model_dump(mode="json"),
    }
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("model", pt.list_pretrained(), ids=lambda model: model.name)
def test_bundled_models(model: pt.BundledModel) -> None:
    """With the record of their training."""
    check(model.folder)
    found = describe_model(model.folder)
    assert found["trained_on"] == found["settings"]["data"]["source"]
    assert found["step"] > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (1, 4, 4), "levels": 2},
        {"shape": (3, 4, 4), "likelihood": "mixture", "position_channels": 2, "hint": 2, "vector": 3},
        {"shape": (1, 4, 4), "levels": 4, "ordered": False, "hint": "lowres:2", "attributes": {"hair": 2, "eyes": 3}},
        {"shape": (1, 4, 4), "classes": ("a", "b"), "text": "learned+tokens", "orders": "raster-all"},
    ],
)
def test_every_condition_and_likelihood(settings: dict[str, Any], tmp_path: Path) -> None:
    """Untrained models."""
    model = pt.build("gated-pixelcnn", channels=16, layers=2, head_channels=16, **settings)
    model.save_pretrained(tmp_path)
    check(tmp_path)


def test_a_damaged_folder_is_a_sentence(tmp_path: Path) -> None:
    """Settings that are not a model's, or not those of the weights."""
    pt.build("pixelcnn", shape=(1, 4, 4), channels=4, layers=1).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('"levels": 256', '"levels": 16'), encoding="utf-8")
    with pytest.raises(pt.CheckpointError, match="written with other settings"):
        describe_model(tmp_path)
    config.write_text('{"format": "pointillist", "format_version": 1}', encoding="utf-8")
    with pytest.raises(pt.CheckpointError):
        describe_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    config.write_text(text, encoding="utf-8")
    with pytest.raises(pt.CheckpointError, match="damaged"):
        describe_model(tmp_path)
