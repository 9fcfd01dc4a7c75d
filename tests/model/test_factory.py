"""Making, saving and loading models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

import pointillist as pt
from pointillist.model.config import ModelConfig
from pointillist.model.folder.files import default_card
from pointillist.model.pixel_model import PixelModel
from pointillist.model.training_record import TrainingRecord
from pointillist.networks import names
from tests.equality import equal
from tests.laws.strategies import models, random_conditions, random_levels, randomise_weights


@pytest.mark.parametrize("name", names())
def test_build(name: str) -> None:
    """By preset, by settings, by image, with classes as a number or as names."""
    model = pt.build(name, shape=(1, 8, 9), levels=16, preset="tiny", layers=2, classes=3)
    assert model.image.shape == (1, 8, 9)
    assert model.config.classes == ("0", "1", "2")
    assert model.config.backbone.model_dump()["layers"] == 2
    image = pt.ImageSpec.infer((3, 2, 2), 4)
    named = pt.build(name, shape=image, classes=["cat", "dog"], preset="tiny")
    assert named.image == image
    assert named.config.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "`shape` is missing"),
        ({"shape": (1, 8, 8), "layer": 3}, "`layer` is not a setting"),
        ({"shape": (1, 8, 8), "layers": True}, "`layers`.*=True.*should be a number"),
        ({"shape": (1, 8, 8), "mixtures": True}, "`mixtures`.*=True.*should be a number"),
        ({"shape": (1, 8, 8), "image": (1, 8, 8)}, "`image` is not a setting.*use `shape="),
        ({"shape": (1, 8, 8), "classes": ["a", "a"]}, "must differ"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], words: str) -> None:
    """One sentence."""
    with pytest.raises(pt.ConfigError, match=words):
        pt.build("gated-pixelcnn", **arguments)


@given(model=models(max_levels=17))
def test_a_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, model: pt.PixelModel) -> None:
    """Weights to the bit, settings, classes, card, training record: any model there is."""
    folder = tmp_path_factory.mktemp("model")
    saved = pt.PixelModel(model.config, training=TrainingRecord(step=3, date="x"), card="# A card\n")
    saved.load_state_dict(model.float().state_dict())
    saved.save_pretrained(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    for again in (pt.load(folder), pt.load(str(folder)), pt.PixelModel.from_pretrained(folder)):
        assert not again.training
        assert again.config == saved.config
        assert again.training_record == TrainingRecord(step=3, date="x")
        assert again.card == "# A card\n"
        assert again.state_dict().keys() == saved.state_dict().keys()
        assert all(equal(v, again.state_dict()[k]) for k, v in saved.state_dict().items())
    x, asked = random_levels(model, 2), random_conditions(model, 2)
    assert equal(again.log_prob(x, **asked), saved.eval().log_prob(x, **asked))


def test_settings_are_plain_json(tmp_path: Path) -> None:
    """A format, its version, and the settings; readable by anyone."""
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, preset="tiny", classes=["\u732b", "dog"])
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["format"], config["format_version"]) == ("pointillist", 1)
    assert config["conditions"]["label"]["classes"] == ["\u732b", "dog"]
    card = (tmp_path / "README.md").read_text()
    assert card == default_card(model.config, model.likelihood.name, model.num_parameters())
    assert card.startswith("---\nlibrary_name: pointillist\n")
    assert pt.load(tmp_path).config.classes == ("\u732b", "dog")


def test_saving_over_a_folder_replaces_it(tmp_path: Path) -> None:
    """The new model, whole."""
    for layers in (1, 2):
        model = randomise_weights(pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=2, layers=layers))
        model.save_pretrained(tmp_path)
        assert pt.load(tmp_path).num_parameters() == model.num_parameters()


@pytest.mark.parametrize("load", [pt.load, pt.PixelModel.from_pretrained])
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("hf:nobody/nothing-at-all", "could not be fetched from the hub"),
        ("nobody/nothing-at-all", "There is no model 'nobody/nothing-at-all': give a folder"),
        ("no-such-model", "There is no model 'no-such-model': give a folder, a bundled name"),
        ("../x/y", "There is no model"),
        ("a/b/c", "There is no model"),
    ],
)
def test_what_is_not_there_gives_one_sentence(load: Any, source: str, words: str) -> None:
    """Offline too: no traceback of a network library."""
    with pytest.raises(pt.CheckpointError, match=words) as error:
        load(source)
    assert "\n" not in str(error.value)


def test_folders_and_files_that_are_no_model(tmp_path: Path) -> None:
    """Each with what to give instead."""
    with pytest.raises(pt.CheckpointError, match=r"contains no config\.json"):
        pt.load(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(pt.CheckpointError, match="is a file: give the model folder"):
        pt.load(tmp_path / "a.txt")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(pt.CheckpointError, match="is not a Pointillist model"):
        pt.load(tmp_path)


@pytest.mark.parametrize(
    ("shape", "levels", "ordered", "found"),
    [
        ((3, 4, 4), 256, True, "mixture"),
        ((4, 4, 4), 256, True, "mixture"),
        ((1, 4, 4), 256, True, "categorical"),
        ((3, 4, 4), 64, True, "categorical"),
        ((3, 4, 4), 256, False, "categorical"),
        ((1, 4, 4), 2, True, "bernoulli"),
    ],
)
def test_auto_is_what_measured_better(shape: tuple[int, int, int], levels: int, ordered: bool, found: str) -> None:
    """Colour of 256 levels takes a mixture, which the config names; presets of papers keep their softmax."""
    model = pt.build("pixelcnn", shape=shape, levels=levels, ordered=ordered, channels=4, layers=1)
    assert model.likelihood.name == model.config.likelihood == found
    if found == "mixture":
        paper = {"channels": 4, "layers": 1, "head_channels": 4}
        assert pt.build("pixelcnn", shape=shape, preset="paper-cifar10", **paper).likelihood.name == "categorical"


@pytest.mark.parametrize(
    ("levels", "ordered", "found"),
    [(256, True, "mixture"), (3, True, "mixture"), (2, True, "bernoulli"), (16, False, "categorical")],
)
@pytest.mark.parametrize("name", ["pixelsnail", "pixelcnn-pp"])
def test_presets_of_a_model_may_choose_its_likelihood(name: str, levels: int, ordered: bool, found: str) -> None:
    """The mixture where levels are quantities; one that is given wins; without a preset `auto` is that of the image."""
    what: dict[str, Any] = {"shape": (3, 2, 2), "levels": levels, "ordered": ordered}
    model = pt.build(name, preset="tiny", **what)
    assert model.likelihood.name == found
    again = ModelConfig.from_dict(model.config.model_dump(mode="json"))
    assert PixelModel(again).likelihood.name == found
    assert pt.build(name, preset="tiny", likelihood="categorical", **what).likelihood.name == "categorical"
    plain = {2: "bernoulli", 256: "mixture"}.get(levels, "categorical")
    assert pt.build(name, layers=1, channels=4, **what).likelihood.name == plain
    assert pt.build("gated-pixelcnn", preset="tiny", **what).likelihood.name == plain
