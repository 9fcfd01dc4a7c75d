"""Runs by stages: from a config to a folder; interrupted and resumed to the bit; codes of the user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.errors import ConfigError, TrainingError
from pointillist.hierarchy.config import hierarchy_run
from pointillist.hierarchy.data import HintedImages, encoded, mirrored, read_codes
from pointillist.hierarchy.tokenizers.training import TokenizerTrainer
from pointillist.training import Interrupted
from tests.equality import assert_close, equal
from tests.hierarchy.helpers import NETWORK, RUN, settings
from tests.tolerances import network_rounding

pytestmark = pytest.mark.proof


def _weights(hierarchy: pt.Hierarchy) -> Iterator[torch.Tensor]:
    for part in (*hierarchy.tokenizers, *hierarchy.models.values()):
        yield from part.state_dict().values()


def _same(a: pt.Hierarchy, b: pt.Hierarchy) -> bool:
    return all(equal(x, y) for x, y in zip(_weights(a), _weights(b), strict=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pt.Hierarchy]:
    """A run of all stages at once."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    hierarchy = pt.Hierarchy.train(settings(out))
    assert hierarchy is not None
    return out, hierarchy


def test_a_run_makes_a_folder(trained: tuple[Path, pt.Hierarchy]) -> None:
    """One folder, with a folder of each stage; labels condition the codes, and pixels see codes alone."""
    out, hierarchy = trained
    for stage in ("tokenizer", "codes", "pixels"):
        assert (out / stage / "model.safetensors").is_file()
        assert (out / stage / "state").is_dir()
    assert len(hierarchy.classes) == 10
    assert list(hierarchy.models["pixels"].config.conditions) == ["hint"]
    assert hierarchy.pixels is not None
    assert hierarchy.pixels.config.conditions["hint"].channels == 2
    assert (out / "pixels" / "samples").is_dir()
    digits = pt.load_data("uci-digits")
    assert digits.test is not None
    assert digits.train is not None
    found = hierarchy.evaluate(digits.test.subset(range(20)), digits.train.subset(range(100)))
    assert found.psnr is not None
    assert 0 < found.order0["codes"] < 6
    assert found.lossless is not None


def test_stages_and_resume_give_the_same_bits(
    trained: tuple[Path, pt.Hierarchy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stage by stage, with the tokenizer and the prior interrupted, the weights are those of the run at once."""
    out = tmp_path / "again"
    steps = TokenizerTrainer.step

    def stop_after_two(trainer: TokenizerTrainer) -> float:
        loss = steps(trainer)
        trainer.stop.requested = trainer.progress.step == 2
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(TokenizerTrainer, "step", stop_after_two)
        with pytest.raises(Interrupted):
            pt.Hierarchy.train(settings(out), stage="tokenizer")
    assert pt.Hierarchy.train(stage="tokenizer", resume=True, train={"out": str(out)}) is None
    with pytest.raises(pt.CheckpointError, match="no 'codes' yet"):
        pt.Hierarchy.load(out)
    assert pt.Hierarchy.train(stage="codes", resume=True, train={"out": str(out)}) is None
    whole = pt.Hierarchy.train(resume=True, train={"out": str(out)})
    assert whole is not None
    assert _same(whole, trained[1])


def test_save_and_load(trained: tuple[Path, pt.Hierarchy], tmp_path: Path) -> None:
    """A folder that is written again holds the same hierarchy; `load` of a model names the right call."""
    out, hierarchy = trained
    hierarchy.save(tmp_path / "copy")
    copy = pt.Hierarchy.load(tmp_path / "copy")
    assert _same(copy, hierarchy)
    assert copy.data == hierarchy.data
    assert equal(copy.sample(2, seed=3).levels, hierarchy.sample(2, seed=3).levels)
    for folder in (out, tmp_path / "copy"):
        with pytest.raises(pt.CheckpointError, match=r"Hierarchy\.load"):
            pt.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenizer": {"levels": [1]}}, "tokenizer.levels"),
        ({"tokenizer": {"downsample": 3}}, "`tokenizer.downsample` .* power of two"),
        ({"tokenizer": {"downsample": 16}}, "`size` .* multiple of the 16 pixels"),
        ({"tokenizer": {"width": 3}}, "`tokenizer.width` is not a setting"),
        ({"codes": {"model": {"chanels": 3}}}, "`codes.model.chanels` is not a setting"),
        ({"codes": {"train": {"steps": 0}}}, "`codes.train.steps`"),
        ({"pixels": {"train": {"augmentation": {"flip": True}}}}, "`pixels.train.augmentation.flip`"),
        ({"pixels": {"model": {"conditions": {"hint": {"rule": "grey"}}}}}, "its hint is codes"),
        ({"model": {"type": "hierarchy", "preset": "tiny"}}, "`codes.model.preset`"),
        ({"code": {}}, "`code` is not a setting: did you mean `codes`"),
        ({"data": {"source": "uci-digits", "binarise": "dynamic"}}, "`data.binarise`"),
        ({"codes2": {"npz_key": "a"}}, "`codes.npz_key` is missing"),
        ({"data": {}}, "DATA is missing"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """One sentence names the setting by its section; no folder is left."""
    tree = settings(tmp_path / "run", **changes)
    if "npz_key" in str(changes):
        del tree["tokenizer"]
    with pytest.raises(ConfigError, match=message):
        pt.Hierarchy.train(tree)
    assert not (tmp_path / "run" / "run.toml").exists()


def test_settings_of_all_stages(tmp_path: Path) -> None:
    """`[train]` holds for every stage, a section for its own, and overrides for all."""
    tree = settings(tmp_path, codes={"model": {"type": "pixelcnn"}, "train": {"steps": 9, "seed": 3}})
    run = hierarchy_run(tree, {"train.seed": 5})
    assert run.stages == ("tokenizer", "codes", "pixels")
    assert run.tokenizers[0].train.steps == 4
    assert run.codes[0]["train"]["steps"] == 9
    assert run.codes[0]["train"]["seed"] == run.tokenizers[0].train.seed == 5
    assert run.pixels is not None
    assert run.pixels["train"]["condition_dropout"]["other"] == 0
    deep = hierarchy_run({**tree, "tokenizer2": {"levels": [2]}, "pixels": {"model": {"type": "none"}}}, {})
    assert deep.stages == ("tokenizer", "tokenizer2", "codes2", "codes")


def test_what_a_resumed_run_may_change(trained: tuple[Path, pt.Hierarchy], tmp_path: Path) -> None:
    """Nothing that would make it another run; a new one does not overwrite it."""
    out, _ = trained
    with pytest.raises(ConfigError, match=r"`tokenizer.levels` .* cannot change"):
        pt.Hierarchy.train(resume=True, train={"out": str(out)}, tokenizer={"levels": [2]})
    with pytest.raises(ConfigError, match="already holds a run"):
        pt.Hierarchy.train(settings(out))
    with pytest.raises(TrainingError, match="no run to resume"):
        pt.Hierarchy.train(resume=True, train={"out": str(tmp_path)})
    with pytest.raises(ConfigError, match="`stage`"):
        pt.Hierarchy.train(settings(tmp_path / "new"), stage="code")
    with pytest.raises(TrainingError, match="no trained `tokenizer`"):
        pt.Hierarchy.train(settings(tmp_path / "new"), stage="codes")


def test_two_levels_of_codes(tmp_path: Path) -> None:
    """A second tokenizer encodes the codes of the first; palettes, mirror images and no model of pixels."""
    rng = np.random.default_rng(0)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
    pictures = colours[rng.integers(0, 3, (12, 8, 8))]
    np.savez(tmp_path / "sprites.npz", x=pictures)
    tree = settings(
        tmp_path / "run", data={"source": str(tmp_path / "sprites.npz"), "palette": 3},
        tokenizer2={"levels": [2, 2], "downsample": 2, "channels": 4, "layers": 0},
        codes2={"model": {"network": NETWORK}}, pixels={"model": {"type": "none"}},
        train={"augmentation": {"flip": True}, "steps": 2},
    )  # fmt: skip
    hierarchy = pt.Hierarchy.train(tree)
    assert hierarchy is not None
    assert [model.image.shape for model in hierarchy.models.values()] == [(1, 2, 2), (1, 4, 4)]
    samples = hierarchy.sample(2, seed=0)
    assert samples.images[0].size == (8, 8)
    assert samples.decoded
    images = pt.load_data(tmp_path / "sprites.npz", palette=3).train
    assert images is not None
    assert "no likelihood" in str(hierarchy.evaluate(images))


@pytest.mark.slow
def test_codes_of_the_user(tmp_path: Path) -> None:
    """Several grids of different sizes, with images given the codes."""
    rng = np.random.default_rng(0)
    fine, coarse = rng.integers(0, 700, (20, 4, 4)), rng.integers(0, 5, (20, 2, 1))
    fine[0, 0, 0], coarse[0, 0, 0] = 699, 4
    x = rng.integers(0, 256, (20, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "codes.npz", fine=fine, coarse=coarse, x=x, y=np.arange(20) % 2)
    tree = {
        "data": {"source": str(tmp_path / "codes.npz"), "npz_key": "x"},
        "train": {**RUN["train"], "out": str(tmp_path / "run")},
        "codes": {"npz_key": "fine", "levels": 800, "model": {"network": NETWORK}},
        "codes2": {"npz_key": "coarse", "model": {"network": NETWORK}},
        "pixels": {"model": {"network": NETWORK}},
    }
    hierarchy = pt.Hierarchy.train(tree)
    assert hierarchy is not None
    assert hierarchy.tokenizers == ()
    assert [model.image.levels for model in hierarchy.codes] == [800, 5]
    assert hierarchy.pixels is not None
    assert hierarchy.pixels.config.conditions["hint"].channels == 2
    samples = hierarchy.sample(3, [0, 1, 0], seed=1)
    scored = hierarchy.code_length(samples.levels, samples.codes, [0, 1, 0])
    within = sum(network_rounding(model, samples.nats) for model in (*hierarchy.codes, hierarchy.pixels))
    assert_close(-scored.total, samples.nats, rtol=0, atol=within)
    pyramids = read_codes(hierarchy_run(tree, {}))
    found = hierarchy.evaluate(pyramids["valid"], pyramids["train"])
    assert set(found.order0) == {"codes", "codes2"}
    assert found.psnr is None
    with pytest.raises(ConfigError, match="flip"):
        hierarchy_run({**tree, "train": {"augmentation": {"flip": True}}}, {})


def test_data_of_the_stages(trained: tuple[Path, pt.Hierarchy]) -> None:
    """Hints are the codes of the image at hand; subsets keep them; mirror images have codes of their own."""
    _, hierarchy = trained
    digits = pt.load_data("uci-digits").train
    assert digits is not None
    both = mirrored(digits.subset(range(6)))
    assert equal(both.batch([8]).levels, both.batch([2]).levels[..., ::-1])
    assert both.labels is not None
    assert both.labels[8] == both.labels[2]
    pyramid = encoded(both, hierarchy.tokenizers)
    stage = pyramid.of_stage("pixels")
    assert isinstance(stage, HintedImages)
    assert stage.labels is None
    assert stage.spec == digits.spec
    for data, index in ((stage, 9), (stage.subset([9, 3]), 0)):
        batch = data.batch([index])
        codes = hierarchy.encode(batch.levels)
        assert batch.hints is not None
        assert equal(batch.hints, hierarchy.hint("pixels", codes, (8, 8))["hint"])
    assert pyramid.of_stage("codes").labels is not None
    with pytest.raises(ConfigError, match="`flip`"):
        stage.batch([0], flip=True)
