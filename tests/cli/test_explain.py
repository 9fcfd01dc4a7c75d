"""`explain`: a page of one image, and sentences for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import pointillist as pt
from tests.tolerances import network_rounding

from .helpers import fails, files_in, run


def test_a_picture_becomes_a_page(model: Path, pets: Path) -> None:
    picture = pets / "cat" / "0.png"
    shown = run("explain", model, picture, "--label", "cat", "-o", "out/a.html", "--continuations", "1").output
    assert Path("out/a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    for word in ("bits/dim", "standard deviations", "label cat", "out/a.html"):
        assert word in shown
    told = json.loads(run("explain", model, picture, "--label", "cat", "--json", "--continuations", "0").stdout)
    scorer = pt.load(model)
    levels = pt.load_data(str(picture), spec=scorer.image).train.batch([0]).levels
    expected = pt.evaluate(scorer, levels, "cat").bits_per_dim
    assert told["bits_per_dim"] == pytest.approx(expected, abs=network_rounding(scorer, expected))
    within = network_rounding(scorer, told["bits"])
    assert told["conditions"]["conditional_bits"] == pytest.approx(told["bits"], abs=within)
    assert told["page"] == "report.html"


def test_an_image_of_a_data_set_brings_its_label(model: Path, pets: Path) -> None:
    few = ("--continuations", "0", "--max-attributions", "2")
    arguments = (model, pets, "--split", "train", *few, "--force", "--json")
    told = json.loads(run("explain", *arguments, "--index", "2").stdout)
    scorer, splits = pt.load(model), pt.load_data(str(pets), mode="grey", levels=8)
    data = splits.train
    assert data is not None
    wanted = pt.evaluate(scorer, data.subset([2])).bits_per_dim
    assert told["bits_per_dim"] == pytest.approx(wanted, abs=network_rounding(scorer, wanted))
    assert told["split"] == "train"
    blind = json.loads(run("explain", *arguments, "--index", "2", "--no-labels").stdout)
    assert blind["bits"] != told["bits"]
    other = json.loads(run("explain", *arguments, "--index", "2", "--label", "dog").stdout)
    within = network_rounding(scorer, told["bits"])
    expected = (told["bits"], scorer_bits(scorer, data, "dog"))
    assert other["bits"] in [pytest.approx(bits, abs=within) for bits in expected]


def scorer_bits(scorer: pt.PixelModel, data: pt.ImageDataset, label: str) -> float:
    return float(pt.evaluate(scorer, data.batch([2]).levels, label).bits_per_dim) * data.spec.dims


def test_calibration_what_if_and_pictures(model: Path, pets: Path) -> None:
    shown = json.loads(
        run(
            "explain", model, pets, "--split", "train", "--index", "1", "--calibration-images", "6", "--maps", "maps",
            "--what-if", "1,2=7", "--what-if", "2,2,0=0", "--continuations", "2", "--json",
        ).stdout
    )  # fmt: skip
    assert shown["calibration"]["images"] == 6
    assert [each["edits"][0]["level"] for each in shown["counterfactuals"]] == [7, 0]
    names = {Path(name).name for name in shown["pictures"]}
    assert {"overview.png", "surprisal.png", "cumulative.png", "conditions.png", "layers.png", "what-if-2.png"} <= names
    for name in names:
        with Image.open(Path("maps") / name) as picture:
            assert picture.width > 50
    page = Path("report.html").read_text(encoding="utf-8")
    assert "<h2>Calibration</h2>" in page
    assert "What if row 1, column 2 were 7" in page
    arguments = (model, pets / "dog" / "1.png", "--calibration-data", pets, "--json", "--force")
    other = json.loads(run("explain", *arguments).stdout)
    assert other["calibration"]["images"] > 0


def test_a_palette_model(sprites: Path, pets: Path) -> None:
    shown = run("explain", sprites, pets / "cat" / "1.png", "--continuations", "0").output
    assert "unconditional" in shown
    assert Path("report.html").stat().st_size < 200_000


def test_faults_are_sentences(model: Path, sprites: Path, pets: Path) -> None:
    picture = pets / "cat" / "0.png"
    before = files_in(Path())
    assert "--index" in fails("explain", model, pets)
    assert "0 to" in fails("explain", model, pets, "--index", "99")
    assert ".html" in fails("explain", model, picture, "-o", "report.pdf")
    assert "contradict" in fails("explain", model, picture, "--label", "cat", "--no-labels")
    assert "`--attribute` cannot be used" in fails("explain", model, picture, "--attribute", "hair=red")
    assert "NAME=VALUE" in fails("explain", model, picture, "--attribute", "hair")
    assert "ROW,COLUMN=LEVEL" in fails("explain", model, picture, "--what-if", "3;4")
    assert "level from 0 to 7" in fails("explain", model, picture, "--what-if", "0,0=8")
    assert "train.lr" in fails("explain", model, picture, "--set", "train.lr=3")
    Path("full").mkdir()
    Path("full/a.txt").write_text("kept")
    assert "replace views in it" in fails("explain", model, picture, "--maps", "full")
    Path("report.html").write_text("mine")
    assert "--force" in fails("explain", model, picture, "--out", "report.html")
    assert Path("report.html").read_text() == "mine"
    assert files_in(Path()) == sorted([*before, "full", "full/a.txt", "report.html"])
