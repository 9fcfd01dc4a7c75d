"""The commands on a hierarchy, from a folder of images to samples, and those that make no sense."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from PIL import Image

import pointillist as pt
from tests.cli.helpers import fails, run
from tests.hierarchy.helpers import NETWORK, RUN
from tests.tolerances import printed, rounding

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs of noise, `run.toml`, and the run of it."""
    root = tmp_path_factory.mktemp("hierarchy")
    rng = np.random.default_rng(0)
    (root / "photos").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(root / "photos" / f"{i}.png")
    stages = {name: value for name, value in RUN.items() if name not in ("data",)}
    (root / "run.toml").write_text(tomli_w.dumps(stages))
    result = run(
        "train", root / "photos", "--model", "hierarchy", "--size", "8", "--config", root / "run.toml",
        "--steps", "2", "--flip", "--out", root / "run",
    )  # fmt: skip
    assert "stage      pixels" in result.output
    assert f"try        pointillist sample {root / 'run'}" in result.output.replace("\n", "")
    return root


def test_train_stages_and_resume(folder: Path, tmp_path: Path) -> None:
    """One stage after the other, each continued or started by `--resume`."""
    out = tmp_path / "run"
    first = ["train", folder / "photos", "--config", folder / "run.toml", "--steps", "2", "--out", out]
    assert "next" in run(*first, "--stage", "tokenizer").output
    assert "no trained `tokenizer`" in fails(*first[:-1], tmp_path / "other", "--stage", "pixels")
    assert "already holds a run" in fails(*first)
    assert "`--stage`" in fails("train", "--resume", "--out", out, "--stage", "colours")
    assert "try" in run("train", "--resume", "--out", out).output
    assert "cannot change" in fails("train", "--resume", "--out", out, "--lr", "1")
    assert "`codes.model.preset`" in fails(*first[:-1], tmp_path / "other", "--model", "hierarchy", "--preset", "tiny")
    assert "for hierarchies" in fails("train", "uci-digits", "--stage", "codes", "--out", tmp_path / "a")
    assert "`--studio`" in fails(*first, "--studio")


@pytest.mark.slow
def test_dry_run_estimates_each_stage_and_refuses_what_does_not_fit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and hours of each stage and of all; nothing is written."""
    monkeypatch.setattr("pointillist.training.estimate.MIN_SECONDS", 0.0)
    monkeypatch.setattr("pointillist.hierarchy.estimate.MIN_SECONDS", 0.0)
    command = ["train", folder / "photos", "--config", folder / "run.toml", "--out", tmp_path / "run", "--dry-run"]
    output = run(*command).output
    for word in ("stage      tokenizer", "stage      codes", "stage      pixels", "total", "GB at most"):
        assert word in output
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("pointillist.system.free_bytes", lambda device: 1_000_000)
    message = fails(*command, "--batch-size", "100000000", "--stage", "tokenizer")
    assert "A training step of this tokenizer on 100,000,000 images" in message


def test_sample(folder: Path, tmp_path: Path) -> None:
    """A sheet, files, an archive and an animation; the report says that its bits are a bound."""
    model = folder / "run"
    result = run(
        "sample", model, "-n", "3", "--seed", "0", "--out", tmp_path / "a.png", "--animate", tmp_path / "a.gif"
    )
    assert "a bound: the codes, and the pixels given the codes" in result.output
    assert (tmp_path / "a.gif").is_file()
    found = json.loads(run("sample", model, "-n", "3", "--seed", "0", "--out", tmp_path / "s.npz", "--json").output)
    with np.load(tmp_path / "s.npz") as archive:
        levels, nats = archive["levels"], archive["nats"]
    assert all((model / stage / "program.json").is_file() for stage in ("codes", "pixels"))
    own = pt.Hierarchy.load(model).sample(3, seed=0)
    assert (levels == own.levels).all()
    np.testing.assert_allclose(nats, own.nats, rtol=rounding(1.0, terms=1, dtype=torch.float32))  # as stored
    assert found["bits_per_dim"] == pytest.approx(float(own.bits_per_dim.mean()), abs=printed(4))
    run("sample", model, "-n", "3", "--batch-size", "2", "--size", "16", "--out", tmp_path / "files/")
    assert len(list((tmp_path / "files").glob("*.png"))) == 3
    run("jobs", "sample", model, "-n", "3", "--batch-size", "2", "--tasks", "2", "--out", tmp_path / "job")
    run("jobs", "merge", tmp_path / "job", "--out", tmp_path / "job.npz")
    with np.load(tmp_path / "job.npz") as archive:
        assert (archive["levels"] == levels).all()
    for wrong in ("--order s-curve", "--hint a.png", "--quantize int8", "--best-of 2", "--size 9"):
        fails("sample", model, "-n", "1", "--out", tmp_path / "no.png", *wrong.split())


def test_evaluate_explain_and_info(folder: Path, tmp_path: Path) -> None:
    """Bits of the codes, of the pixels and of the pair; a picture; the stages."""
    model, photos = folder / "run", folder / "photos"
    text = run("evaluate", model, photos, "--split", "valid", "--max-images", "1").output
    for word in ("bits/code; order 0", "bits/dim given the codes", "a bound", "dB PSNR", "lossless"):
        assert word in text
    result = run("evaluate", model, photos, "--split", "train", "--per-image", tmp_path / "a.csv", "--json")
    found = json.loads(result.output)
    assert found["bits_per_number"].keys() == {"codes", "pixels"}
    assert len((tmp_path / "a.csv").read_text().splitlines()) == found["count"] + 1
    assert "`--guidance`" in fails("evaluate", model, photos, "--guidance", "2")
    result = run("explain", model, photos, "--split", "train", "--index", "2", "-o", tmp_path / "a.png", "--json")
    assert json.loads(result.output)["bits"].keys() == {"codes", "pixels"}
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 1000
    assert "`--index`" in fails("explain", model, photos, "--split", "train", "-o", tmp_path / "b.png")
    assert "total" in run("explain", model, photos / "3.png", "-o", tmp_path / "c.png").output
    facts = json.loads(run("info", model, "--json").output)
    assert list(facts["stages"]) == ["tokenizer", "codes", "pixels"]
    assert facts["stages"]["tokenizer"]["parameters"] > 0
    assert "FSQ [3, 2]" in run("info", model).output
    assert "`--program`" in fails("info", model, "--program")


@pytest.mark.parametrize(
    "command",
    ["inpaint MODEL x.png", "quantize MODEL --out q", "detect score MODEL x", "compress MODEL x", "reproduce MODEL"],
)
def test_other_commands_refuse(folder: Path, command: str) -> None:
    """One sentence each."""
    Image.new("RGB", (8, 8)).save(folder / "x.png")
    words = [str(folder / "run") if w == "MODEL" else w for w in command.split()]
    fails(*words)


@pytest.mark.slow
def test_codes_of_the_user(tmp_path: Path) -> None:
    """Grids of codes of an `.npz`, at once and by commands."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "codes.npz", fine=rng.integers(0, 300, (12, 4, 4)), coarse=rng.integers(0, 4, (12, 2, 2)))
    tree = {
        "train": RUN["train"] | {"steps": 2},
        "codes": {"npz_key": "fine", "levels": 300, "model": {"network": NETWORK}},
        "codes2": {"npz_key": "coarse", "levels": 4, "model": {"network": NETWORK}},
        "pixels": {"model": {"type": "none"}},
    }
    (tmp_path / "run.toml").write_text(tomli_w.dumps(tree))
    run("train", tmp_path / "codes.npz", "--config", tmp_path / "run.toml", "--out", tmp_path / "run")
    assert "per finest code" in run("sample", tmp_path / "run", "-n", "2", "--out", tmp_path / "s.npz").output
    assert "not a picture" in fails("sample", tmp_path / "run", "-n", "2", "--out", tmp_path / "s.png")
    assert "codes2" in run("evaluate", tmp_path / "run", tmp_path / "codes.npz").output
    run("explain", tmp_path / "run", tmp_path / "codes.npz", "--index", "0", "-o", tmp_path / "a.png")


def test_pictures_without_a_likelihood(folder: Path, tmp_path: Path) -> None:
    """The report and its JSON say that there is none."""
    out = tmp_path / "run"
    run(
        "train", folder / "photos", "--config", folder / "run.toml", "--set", "pixels.model.type=none",
        "--steps", "1", "--out", out,
    )  # fmt: skip
    assert "none (as the decoder is deterministic)" in run("sample", out, "-n", "1", "--out", tmp_path / "a.png").output
    result = run("sample", out, "-n", "2", "--out", tmp_path / "files/", "--json")
    assert json.loads(result.output)["bits_per_dim"] is None
    json.loads((tmp_path / "files" / "metadata.jsonl").read_text().splitlines()[0], parse_constant=_reject)
    assert "no likelihood" in run("evaluate", out, folder / "photos", "--split", "valid").output


def _reject(name: str) -> None:
    raise ValueError(name)
