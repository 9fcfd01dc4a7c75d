"""Models that come with the package: found by name, listed, opened without torch's compiler."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import pointillist as pt
from pointillist import zoo
from pointillist.commands.cli.app import app
from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS
from pointillist.files.tensors import read_tensors
from pointillist.model.folder.files import meta_init
from pointillist.model.folder.generation import GenerationConfig
from pointillist.model.portable import load
from pointillist.networks import names
from tests.equality import equal
from tests.integer_draws import draw_integers
from tests.scripts import script


@pytest.fixture
def tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pt.PixelModel:
    """A shipped model called `tiles`, and an empty folder to work in."""
    model = pt.build("gated-pixelcnn", shape=(1, 4, 4), levels=4, ordered=False, channels=4, layers=2, text="learned")
    model.card = "---\nlicense: cc0-1.0\n---\n\n# tiles: 4x4 tiles from a prompt\n\nMore.\n"
    model.eval().save_pretrained(tmp_path / "zoo" / "tiles")
    monkeypatch.setattr(zoo, "ZOO", tmp_path / "zoo")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return model


def test_a_name_is_a_model(tiles: pt.PixelModel) -> None:
    """With the weights and the card of its folder; a name that is none is refused with those that are."""
    found = pt.load("tiles")
    assert all(equal(a, b) for a, b in zip(found.state_dict().values(), tiles.state_dict().values(), strict=True))
    (entry,) = pt.list_pretrained()
    assert (entry.name, entry.summary, entry.model) == ("tiles", "4x4 tiles from a prompt", "gated-pixelcnn")
    with pytest.raises(pt.CheckpointError, match=r"no model 'tile'.*bundled name \(tiles\)"):
        pt.load("tile")


def test_a_model_folder_of_that_name_wins_and_another_folder_does_not(tiles: pt.PixelModel) -> None:
    """A folder of pictures that is called like a shipped model does not hide it; half a model is not passed over."""
    Path("tiles").mkdir()
    assert pt.load("tiles").image == tiles.image
    other = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=4, layers=1)
    other.save_pretrained("tiles")
    assert pt.load("tiles").config.model_type == "pixelcnn"
    Path("tiles/config.json").unlink()
    with pytest.raises(pt.CheckpointError, match=r"contains no config.json"):
        pt.load("tiles")


def test_commands_take_the_name(tiles: pt.PixelModel) -> None:
    """`models`, `info` and `sample` by name."""
    listed = CliRunner().invoke(app, ["models"]).stdout
    assert "4x4 tiles from a prompt" in listed
    assert "pointillist sample tiles" in listed
    assert "text (learned)" in CliRunner().invoke(app, ["info", "tiles"]).stdout
    painted = CliRunner().invoke(app, ["sample", "tiles", "--text", "orb spider", "-n", "2", "--engine", "numpy"])
    assert painted.exit_code == 0, painted.output
    assert Path("samples.png").is_file()


def test_every_shipped_model_paints() -> None:
    """Those that are really in the package: a title and a licence on the card, and a picture."""
    for model in pt.list_pretrained():
        card = (model.folder / "README.md").read_text(encoding="utf-8")
        assert f"# {model.name}: " in card
        assert "license:" in card
        painted = pt.sample(pt.load(model.name), 1, seed=0, engine="numpy")
        assert len(np.unique(painted.levels)) > 1


MAX_BYTES = {"icons": 5e6, "scenes": 4e6, "dungeons": 1e6}
"""Largest size of the folders of bundled models."""


@pytest.mark.parametrize("bundled", pt.list_pretrained(), ids=lambda model: model.name)
def test_every_bundled_model_has_its_exact_program(bundled: pt.BundledModel) -> None:
    """Made from its weights as they are, and small; its samples carry its likelihood."""
    integer_model = load(bundled.folder)
    assert integer_model.source == pt.load(bundled.name).fingerprint
    assert sum(path.stat().st_size for path in bundled.folder.iterdir()) <= MAX_BYTES.get(bundled.name, 3e6)
    size = (integer_model.image.height, integer_model.image.width) if integer_model.fixed_size else (6, 5)
    if any(part.kind == "map" for parts in integer_model.parts for part in parts):
        size = (integer_model.image.height, integer_model.image.width)
    levels, nats = draw_integers(
        integer_model, np.random.default_rng(0).random((1, integer_model.image.channels, *size))
    )
    np.testing.assert_allclose(integer_model.log_prob(levels), nats)


@pytest.mark.parametrize("name", names())
def test_a_model_without_numbers_has_the_shapes_of_one_with_them(name: str) -> None:
    """Every tensor of every network, with every condition, and none of them takes memory."""
    settings = {"preset": "tiny", "classes": 3, "text": "learned", "hint": "lowres:2", "position_channels": 2}
    with meta_init():
        bare = pt.build(name, shape=(3, 8, 8), orders="raster-all", **settings)
    real = pt.build(name, shape=(3, 8, 8), orders="raster-all", **settings)
    assert all(tensor.is_meta for tensor in bare.state_dict().values())
    shapes = [{k: (t.shape, t.dtype) for k, t in model.state_dict().items()} for model in (bare, real)]
    assert shapes[0] == shapes[1]


def test_opening_a_model_does_not_import_the_compiler(tmp_path: Path) -> None:
    """`torch._dynamo` takes longer to import than to paint an image."""
    for name in names():
        pt.build(name, shape=(1, 8, 8), preset="tiny", text="learned").save_pretrained(tmp_path / name)
    program = (
        "import sys, pathlib, pointillist as pt\n"
        f"for folder in pathlib.Path({str(tmp_path)!r}).iterdir():\n"
        "    pt.load(folder)\n"
        "    assert 'torch._dynamo' not in sys.modules, folder\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("model", pt.list_pretrained(), ids=lambda model: model.name)
def test_bundling_again_keeps_the_settings(model: zoo.BundledModel) -> None:
    """The facts that `tools/make_zoo.py` reads give the settings of sampling that the model ships with."""
    make, bundled = script("make_zoo"), GenerationConfig.read(model.folder)
    facts = tomllib.loads(make.FACTS.read_text(encoding="utf-8"))[model.name]
    assert make.settings_of(facts, bundled) == bundled


def test_a_run_becomes_a_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounded weights, a sheet, and a card whose figures are those of what ships; no folder of this machine is told."""
    make = script("make_zoo")
    rng = np.random.default_rng(0)
    data = tmp_path / "private" / "tiles.npz"
    data.parent.mkdir()
    x, names = rng.integers(0, 4, (20, 4, 4)).astype(np.uint8), [f"thing {i % 7}" for i in range(20)]
    palette = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
    np.savez(data, index=x, palette=palette, name=names, split=np.repeat(["train", "test"], 10))
    run = tmp_path / "run"
    options = ["--set", "data.npz_key=index", "--set", "data.palette=palette", "--set", "data.transparent_index=0"]
    options += ["--caption-column", "name", "--text-encoder", "learned", "--preset", "tiny", "--steps", "2"]
    options += ["--out", str(run)]
    trained = CliRunner().invoke(app, ["train", str(data), *options, "--set", "train.machine.threads=1"])
    assert trained.exit_code == 0, trained.output
    facts = tmp_path / "zoo.toml"
    facts.write_text(
        '[little]\ntitle = "little things"\ndata = "Made up."\nlicence = "cc0-1.0"\nprompts = ["thing 1"]\n'
        'guidance = 2.0\nevaluate = [["--split", "test"]]\nlimits = "All."\n'
    )
    monkeypatch.setattr(make, "FACTS", facts)
    folder = make.bundle("little", run, str(data), tmp_path / "zoo")
    names = ["README.md", "config.json", "generation_config.json", "model.safetensors"]
    assert sorted(p.name for p in folder.iterdir()) == [*names, PROGRAM, PROGRAM_TENSORS, "samples.png"]
    card, config = ((folder / name).read_text(encoding="utf-8") for name in ("README.md", "config.json"))
    assert "private" not in card + config
    assert "# little: little things" in card
    model = pt.load(folder)
    stored = read_tensors(folder / "model.safetensors")
    assert any(tensor.dtype == torch.int8 for tensor in stored.values())
    assert load(folder).source == model.fingerprint
    splits = pt.load_data(
        data,
        npz_key="index",
        palette="palette",
        transparent_index=0,
        caption_column="name",
        spec=model.image,
        valid_fraction=0.1,
    )
    assert f"{pt.evaluate(model, splits.get('test')).bits_per_dim:.4f}" in card
    monkeypatch.setattr(zoo, "ZOO", tmp_path / "zoo")
    assert [entry.summary for entry in pt.list_pretrained()] == ["little things"]
