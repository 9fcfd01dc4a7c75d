"""What one command writes the others read, quantized models too; what they cannot read is refused in one sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
from tests.tolerances import network_rounding, printed

from .helpers import fails, run, train, write_images


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_image_of_a_split_folder(pets: Path, model: Path) -> None:
    """`--split all` takes all of them, and the table of images names their files."""
    facts = json.loads(run("evaluate", model, pets, "--split", "all", "--per-image", "nats.csv", "--json").stdout)
    rows = table(Path("nats.csv"))
    assert facts["count"] == len(rows) == 16
    assert {row["file"] for row in rows} == {p.relative_to(pets).as_posix() for p in pets.rglob("*.png")}
    assert list(rows[0]) == ["index", "file", "nats", "bits_per_dim"]
    run("evaluate", model, pets, "--per-image", "valid.csv")
    named, ours = {row["file"]: row["nats"] for row in rows}, pt.load(model)
    for row in table(Path("valid.csv")):
        nats = float(row["nats"])
        assert float(named[row["file"]]) == pytest.approx(nats, abs=2 * printed(6) + network_rounding(ours, nats))


def test_a_sheet_is_recognised(model: Path) -> None:
    """Where single images are expected: by `evaluate`, `train` and `explain`."""
    run("sample", model, "-n", "4", "--out", "sheet.png")
    for arguments in (("evaluate", model, "sheet.png"), ("train", "sheet.png"), ("explain", model, "sheet.png")):
        told = fails(*arguments)
        assert "sheet.png is a sheet of 4 images of 5x6" in told
        assert "--out DIR/" in told
    run("sample", model, "-n", "4", "--out", "single/")
    run("evaluate", model, "single", "--split", "all")


def test_hints_are_made_as_training_made_them(tmp_path: Path) -> None:
    """A larger picture is cropped and shrunk, levels of an .npy are taken, and a smaller picture is refused."""
    data = write_images(tmp_path / "pets", size=(8, 8))
    train(
        data, "--no-labels", "--mode", "grey", "--size", "8", "--hint-rule", "lowres:2", "--steps", "1", "--out", "up"
    )
    large = Image.effect_noise((31, 24), 80)
    large.save("large.png")
    run("sample", "up", "-n", "1", "--seed", "0", "--hint-from-image", "large.png", "--out", "a.npz")
    levels = pt.load_data("large.png", size=8, spec=pt.load("up").image).get("all").batch([0]).levels
    np.save("levels.npy", levels[0])
    run("sample", "up", "-n", "1", "--seed", "0", "--hint-from-image", "levels.npy", "--out", "b.npz")
    assert np.array_equal(np.load("a.npz")["levels"], np.load("b.npz")["levels"])
    small = np.floor(levels[0, 0].reshape(4, 2, 4, 2).mean((1, 3)) + 0.5).astype(np.uint8)
    Image.fromarray(small).save("small.png")
    run("sample", "up", "-n", "1", "--seed", "0", "--hint", "small.png", "--out", "c.npz")
    assert np.array_equal(np.load("a.npz")["levels"], np.load("c.npz")["levels"])
    told = fails("sample", "up", "-n", "1", "--hint-from-image", "small.png")
    assert "is 4x4, smaller than the images of 8x8" in told
    assert "`--hint`" in told
    assert "none.png) does not exist" in fails("sample", "up", "--hint-from-image", "none.png")


def test_names_are_fresh_unless_given(model: Path) -> None:
    """Without `--out` nothing is replaced or refused; with it, only `--force` replaces."""
    for number in ("", "-2", "-3"):
        assert f"samples{number}.png" in run("sample", model, "-n", "2").output
        assert Path(f"samples{number}.png").is_file()
    assert "--force" in fails("sample", model, "-n", "2", "--out", "samples.png")
    assert "samples.npz" in run("sample", model, "-n", "2", "--format", "npz").output
    assert "must end in .npz" in fails("sample", model, "-n", "2", "--format", "npz", "--out", "x.png")
    assert "must be a folder" in fails("sample", model, "-n", "2", "--format", "files", "--out", "x.png")


def test_examples_are_written() -> None:
    """Images, a folder that trains, rules that a bundled model obeys; what is there is not replaced."""
    listed = run("example").output
    for name in ("tile", "photo", "digits", "rules"):
        assert name in listed
        run("example", name)
    for name, side in (("tile", 32), ("photo", 64)):
        assert pt.load_data(f"{name}.png").get("all").spec.shape[1:] == (side, side)
    assert len(pt.load_data("digits").get("all")) == 200
    assert pt.sample(pt.load("dungeons"), 1, size=(16, 24), rules="rules.toml", seed=1).rule_acceptance > 0
    assert "--force" in fails("example", "tile")
    assert "already there" in fails("example", "digits")
    run("example", "tile", "other/mine.png")
    assert "choose one of tile, photo, digits" in fails("example", "cat")


def test_train_says_what_was_read_and_what_to_expect(pets: Path) -> None:
    """The kind of image and its labels; before, what few images give; after, a lossless codec and what to try."""
    shown = " ".join(train(pets, "--steps", "2", "--out", "m").output.split())
    assert "rgb 5x6, 256 levels, labels of 2 classes" in shown
    assert "14 images and 2 steps are enough for colours and textures" in shown
    assert "lossless" in shown
    assert "a longer run (`--steps 8`)" in shown or "more images" in shown
    assert "--text" not in shown


def test_threads_are_at_most_the_cores(pets: Path) -> None:
    """More are set to the number of cores, which is said."""
    from pointillist.system import available_cores

    small = ["--set", "model.network.channels=4", "--set", "model.network.layers=1", "--batch-size", "4"]
    shown = run("train", pets, "--steps", "1", "--threads", "1000", *small, "--out", "m").output
    torch.set_num_threads(1)
    assert f"1000 threads were set, and {available_cores()} cores are there" in " ".join(shown.split())
