"""What `pointillist models` says is what can be built."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import pointillist as pt
from pointillist.model.folder.building import KINDS, preset_image
from pointillist.model.folder.opening import LISTING, ModelSummary
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
        assert summary.likelihoods["palette, codes"] == ("categorical", "factored")
        for kind, likelihoods in summary.likelihoods.items():
            for likelihood in ("bernoulli", "categorical", "mixture"):
                if likelihood in likelihoods:
                    built = pt.build(name, shape=KINDS[kind], preset="tiny", likelihood=likelihood)
                    assert built.likelihood.name == likelihood
                else:
                    with pytest.raises(pt.ConfigError):
                        pt.build(name, shape=KINDS[kind], preset="tiny", likelihood=likelihood)
    assert [name for name, summary in summaries.items() if "S-curve" in summary.orders] == ["locally-masked-pixelcnn"]
