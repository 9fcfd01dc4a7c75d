"""`detect`: the verdicts of the library, in a table, files and an exit code."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.cli import app
from tests.tolerances import network_rounding, printed

from .helpers import fails, run, train, write_images


@pytest.fixture
def normal() -> Path:
    """Sixty pictures like those of training."""
    return write_images(Path("normal"), count=30)


@pytest.fixture
def mixed() -> Path:
    """Twelve such pictures, and two of another kind."""
    folder = write_images(Path("mixed"), count=6)
    for number in range(2):
        Image.fromarray(np.full((5, 6, 3), 255 * number, np.uint8)).save(folder / f"plain{number}.png")
    return folder


@pytest.fixture
def own(model: Path) -> Path:
    """A copy of the model, beside which a detector may be stored."""
    pt.load(model).save_pretrained("own")
    return Path("own")


def test_fit_once_then_judge(own: Path, normal: Path, mixed: Path) -> None:
    """The detector is stored beside the model; the second call gives the same numbers without normal images."""
    first = json.loads(run("detect", own, mixed, "--fit", normal, "--json", "--set", "data.size=5x6").stdout)
    second = json.loads(run("detect", own, mixed, "--json", "--set", "data.size=5x6").stdout)
    assert first.pop("fit")["also_scored"] == 6  # pictures of the same seed
    assert first.pop("warnings") != second.pop("warnings")
    assert first == second
    assert (own / "anomaly_detector.json").exists()
    assert (first["count"], first["held_out"], first["false_alarms"]) == (14, 30, 0.05)
    assert {first["images"][0]["file"], first["images"][1]["file"]} == {"plain0.png", "plain1.png"}
    scores = [row["score"] for row in first["images"]]
    assert scores == sorted(scores)
    detector = pt.AnomalyDetector.load(own, own)
    score = next(row["score"] for row in first["images"] if row["file"] == "cat/0.png")
    within = network_rounding(pt.load(own), score)
    assert detector.score_samples(mixed)[0] == pytest.approx(score, abs=printed(4) + within)
    assert "already" in fails("detect", own, mixed, "--fit", normal)


def test_table_csv_sheet_and_heat_maps(own: Path, normal: Path, mixed: Path) -> None:
    """The table and the heat maps have every image, the sheet the twelve most anomalous."""
    files = ["--csv", "out.csv", "--sheet", "out.png", "--heatmaps", "maps"]
    shown = run("detect", own, mixed, "--fit", normal, *files, "--top", 3).output
    assert "plain" in shown
    assert "and 11 more" in shown
    assert "expected if all are normal  0.7\n" in shown
    with Path("out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    assert float(rows[0]["p_value"]) <= float(rows[-1]["p_value"])
    assert {"bits", "excess", "row", "column"} <= set(rows[0])
    with Image.open("out.png") as sheet:
        assert sheet.height / 6 < sheet.width / 2  # two images a row, with three panels each
    assert {str(path.relative_to("maps")) for path in Path("maps").rglob("*.png")} == {row["file"] for row in rows}
    with Image.open(Path("maps") / "plain0.png") as overlay:
        assert overlay.size == (6, 5)
    for option, path in (("--csv", "out.csv"), ("--sheet", "out.png"), ("--heatmaps", "maps")):
        assert "already there" in fails("detect", own, mixed, option, path)


def test_the_exit_code_tells(own: Path, normal: Path, mixed: Path) -> None:
    """1 only if asked for, and only if an image is odd."""
    run("detect", own, mixed, "--fit", normal)
    assert CliRunner().invoke(app, ["detect", str(own), str(mixed), "--fail-on-anomaly"]).exit_code == 1
    one = json.loads(run("detect", own, normal, "--json").stdout)["images"][-1]["file"]
    run("detect", own, normal / one, "--fail-on-anomaly")


def test_mistakes_are_one_sentence(own: Path, normal: Path, mixed: Path, sprites: Path) -> None:
    """No detector, that of another model, nothing to read, too few images for the rate."""
    assert "fit one with `--fit`" in fails("detect", own, mixed)
    assert "`--detector`" in fails("detect", "digits", mixed)
    Path("empty").mkdir()
    assert "holds no images" in fails("detect", own, mixed, "--fit", "empty")
    rate = ["detect", own, mixed, "--fit", normal, "--false-alarms"]
    assert "`--false-alarms` (=0.01) needs at least 198" in fails(*rate, 0.01)
    assert not (own / "anomaly_detector.json").exists()
    assert "`--false-alarms` (=0.0) must be above 0" in fails(*rate, 0)
    run("detect", own, mixed, "--fit", normal, "--detector", "kept")
    assert "fitted with another model" in fails("detect", sprites, mixed, "--detector", "kept")
    assert "holds no images" in fails("detect", own, "empty", "--detector", "kept")
    assert "needs at least 99 held-out" in fails("detect", own, mixed, "--detector", "kept", "--false-alarms", 0.01)
    assert "without a background" in fails("detect", own, mixed, "--detector", "kept", "--background", own)


def test_windows_and_data_sets(own: Path, normal: Path) -> None:
    """Larger pictures by windows; an array by the numbers of its images."""
    rng = np.random.default_rng(0)
    for name, count in (("large", 40), ("other", 5)):
        Path(name).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(f"{name}/{i}.png")
    found = json.loads(
        run("detect", own, "other", "--fit", "large", "--windows", "--heatmaps", "maps", "--json").stdout
    )
    assert found["count"] == 5
    with Image.open("maps/0.png") as overlay:
        assert overlay.size == (12, 10)
    np.savez("x.npz", x=rng.integers(0, 256, (50, 5, 6), dtype=np.uint8))
    found = json.loads(run("detect", own, "x.npz", "--fit", "x.npz", "--detector", "kept", "--json").stdout)
    assert {row["file"] for row in found["images"]} == {str(i) for i in range(50)}


def test_fit_takes_the_validation_split_and_warns_of_others(pets: Path, model: Path) -> None:
    """Of the source of training it is `valid`; training images and scored ones among the fitted are counted."""
    images = write_images(Path("many"), count=120)
    options = ["--mode", "grey", "--levels", "8", "--steps", "2", "--set", "data.valid_fraction=0.4"]
    train(images, *options, "--out", "many-run")
    run("detect", "many-run", images, "--split", "train", "--fit", images)
    shown = json.loads(run("detect", "many-run", images, "--fit", images, "--force", "--json").stdout)["fit"]
    assert (shown["split"], shown["count"], shown["in_training"]) == ("valid", 96, 0)
    assert shown["also_scored"] == 96  # without --split all images are scored
    shown = run("detect", "many-run", images, "--fit", images, "--force")
    assert "fitted on 96 of the images that are scored here" in " ".join(shown.output.split())
    shown = run("detect", "many-run", images, "--split", "valid", "--fit", images, "--fit-split", "train", "--force")
    assert "144 training images of this model" in " ".join(shown.output.split())
    assert "fit data many, split train, count 144" in " ".join(shown.output.split())
    assert "that are scored here" not in " ".join(shown.output.split())
    assert "unknown" in fails("detect", "many-run", images, "--fit", images, "--fit-split", "bla", "--force")


def test_the_command_fits_what_python_fits() -> None:
    """A name with splits that the model was not trained on: validation images are held out, as in a training."""
    digits = pt.load_data("uci-digits")
    pt.build("pixelcnn", shape=digits.train.spec, channels=4, layers=1).save_pretrained("m")
    shown = json.loads(run("detect", "m", "uci-digits", "--split", "test", "--fit", "uci-digits", "--json").stdout)[
        "fit"
    ]
    assert (shown["split"], shown["count"], shown["also_scored"]) == ("valid", len(digits.get("valid")), 0)
    detector = pt.AnomalyDetector(pt.load("m")).fit("uci-digits")
    assert np.array_equal(detector.calibration_scores_, pt.AnomalyDetector.load("m", "m").calibration_scores_)


@pytest.mark.parametrize("option", [["--engine", "torch"], ["--fit-split", "valid"]])
def test_settings_of_fit_without_it(own: Path, normal: Path, option: list[str]) -> None:
    run("detect", own, normal, "--fit", normal)
    assert "`--fit`" in fails("detect", own, normal, *option)
