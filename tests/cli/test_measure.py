"""`evaluate` and `info`: what they say is what the library computes, in any order."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

import pointillist as pt
from tests.tolerances import network_rounding

from .helpers import fails, files_in, run, train, write_images


def evaluated(*args: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("evaluate", *args, "--json").stdout)
    return found


def test_the_held_out_part_of_its_own_images(model: Path, pets: Path) -> None:
    found = evaluated(model, pets)
    splits = pt.load_data(str(pets), mode="grey", levels=8)
    assert splits.valid is not None
    scorer = pt.load(model)
    expected = pt.evaluate(scorer, splits.valid).bits_per_dim
    assert found["split"] == "valid"
    assert found["count"] == len(splits.valid)
    assert found["bits_per_dim"] == pytest.approx(expected, abs=network_rounding(scorer, expected))
    assert found["labels"] == "used"
    assert found["levels"] == 8


def test_text_names_everything_that_matters(model: Path, pets: Path) -> None:
    shown = run("evaluate", model, pets, "--split", "train").output
    for word in ("bits/dim", "95 % interval", "nats", "train", "levels", "binarise", "used"):
        assert word in shown


def test_faults_of_evaluate_are_sentences(model: Path, sprites: Path, pets: Path) -> None:
    birds = write_images(Path("birds"), ("bird", "cat"), count=2)
    wide = write_images(Path("wide"), ("cat",), count=2, size=(4, 9))
    before = files_in(Path())
    assert "'bird'" in fails("evaluate", model, birds)
    assert evaluated(model, birds, "--no-labels")["count"] == 4
    assert "images of 4x9, where the model was trained on 5x6" in str(evaluated(model, wide, "--no-labels")["notes"])
    assert "'test'" in fails("evaluate", model, pets, "--split", "test")
    assert "'tset'" in fails("evaluate", model, pets, "--split", "tset")
    assert "train.lr" in fails("evaluate", model, pets, "--set", "train.lr=3")
    assert "`data.levels` (=9) has no effect" in fails("evaluate", model, pets, "--set", "data.levels=9")
    assert "is a folder" in fails("evaluate", model, pets, "--per-image", "birds")
    assert "birds.txt must end in .csv" in fails("evaluate", model, pets, "--per-image", "birds.txt")
    assert files_in(Path()) == before


def test_info_of_a_model(model: Path, pets: Path) -> None:
    shown = run("info", model).output
    for word in ("gated-pixelcnn", "categorical", "cat, dog", "5 x 6", "8 ordered levels", "channels 4", "kB"):
        assert word in shown
    assert "train.steps = 5" in shown
    assert "the weights are read and checked when the model is loaded" in " ".join(shown.split())
    found = json.loads(run("info", model, "--json").stdout)
    assert found["parameters"] == pt.load(model).num_parameters()
    assert found["trained_on"] == str(pets)
    assert found["settings"]["train"]["steps"] == 5


def test_info_of_an_untrained_model() -> None:
    pt.build("pixelcnn", shape=(3, 4, 4), channels=4, layers=1).save_pretrained("plain")
    assert "rgb, 4 x 4" in run("info", "plain").output


def test_info_of_images(pets: Path) -> None:
    shown = run("info", pets, "--set", "data.size=4").output
    for word in ("rgb, 4 x 4", "cat 8, dog 8", "train", "valid"):
        assert word in shown
    found = json.loads(run("info", "uci-digits", "--json").stdout)
    assert found["splits"]["test"] == 360
    assert found["image"]["levels"] == 17
    Image.new("L", (3, 3), 80).save("one.png")
    assert run("info", "one.png").output.split()[-2:] == ["captions", "no"]
    Path("broken.png").write_bytes(b"no image")
    assert "skip" not in fails("info", "broken.png")  # nothing would be left


def test_faults_of_info(model: Path) -> None:
    assert "nowhere" in fails("info", "nowhere")
    assert "is how images are read" in fails("info", model, "--set", "data.size=3")
    Path("empty").mkdir()
    assert "empty" in fails("info", "empty")


def test_receptive_field_of_an_untrained_model() -> None:
    shown = run("info", "pixelcnn:small", "--receptive-field", "12,7").output
    assert "pixelcnn small, site (12, 7): sees 204 of 343 earlier pixels" in " ".join(shown.split())
    assert Path("field.png").read_bytes().startswith(b"\x89PNG")
    assert "--force" in fails("info", "pixelcnn:small", "--receptive-field", "1,1", "--out", "field.png")
    found = json.loads(
        run("info", "row-lstm:tiny", "--receptive-field", "2, 3", "--size", "5x6", "--force", "--json").stdout
    )
    assert found["site"] == [2, 3, 0]
    assert found["earlier"] == 15
    assert found["seen"] + found["missing"] == 15
    assert found["leaked"] == 0


def test_receptive_field_of_a_trained_model(model: Path, sprites: Path) -> None:
    """Drawn twice as wide: also how strongly, over images of its own."""
    from PIL import Image

    found = json.loads(run("info", model, "--receptive-field", "3,2,0", "--out", "a/one.png", "--json").stdout)
    field = pt.receptive_field(pt.load(model), 3, 2)
    assert (found["seen"], found["missing"]) == (field.num_seen, field.num_missing)
    with Image.open("a/one.png") as picture:
        assert picture.width > 2 * 6 * 24
    run("info", sprites, "--receptive-field", "0,0", "--out", "two.png")


def test_faults_of_receptive_field(model: Path, sprites: Path, pets: Path) -> None:
    field = "--receptive-field"
    assert "`row` (=5)" in fails("info", model, field, "5,0")
    assert "ROW,COLUMN" in fails("info", model, field, "five")
    assert "no preset 'huge'" in fails("info", "pixelcnn:huge", field, "1,1")
    assert "describes a model" in fails("info", pets, field, "1,1")
    assert ".png" in fails("info", model, field, "1,1", "--out", "field.jpg")
    assert "changes nothing without `--receptive-field`" in fails("info", model, "--out", "field.png")
    assert not list(Path().glob("*.png"))


def test_the_program_of_a_model(model: Path, pets: Path) -> None:
    """Trained or not: every instruction, and as JSON what each part costs."""
    shown = run("info", "pixelcnn:tiny", "--program", "--size", "8x6").output
    assert "8x6 sites of 1 sub-steps" in shown
    assert "once per row: 14 instructions, 59,904 operations and 20,224 bytes of weights a row" in shown
    found = json.loads(run("info", "pixelcnn:tiny", "--program", "--size", "8x6", "--json").stdout)
    (stage,) = found["stages"]
    assert (stage["height"], stage["width"]) == (8, 6)
    assert stage["operations"] == sum(part["operations"] * part["times"] for part in stage["parts"])
    assert run("info", model, "--program").output.count("once per row") == 1
    assert len(json.loads(run("info", "multiscale-pixelrnn:tiny", "--program", "--json").stdout)["stages"]) > 1
    assert "goes with" in fails("info", pets, "--program")
    assert "`--receptive-field`" in fails("info", model, "--program", "--out", "x.png")


def test_an_evaluation_speaks_of_its_split_alone(model: Path, pets: Path) -> None:
    """How another split was made is no fact about these images."""
    notes = {split: run("evaluate", model, pets, "--split", split).output for split in ("train", "valid")}
    assert "valid: " in notes["valid"]
    assert "valid: " not in notes["train"]


def test_bench_of_no_engine_fails() -> None:
    """An engine that cannot run is skipped with a note, unless nothing is left to time."""
    assert "Unknown `engine` 'x': choose one of" in fails("bench", "digits", "--engines", "x")
    told = run("bench", "digits", "--engines", "x,integer", "--batch-sizes", "1", "--rounds", "1")
    assert "x is skipped" in told.stderr
    assert "integer" in told.stdout


@pytest.fixture(scope="session")
def curved(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two orders: along rows and along columns."""
    out = tmp_path_factory.mktemp("runs") / "curved"
    train(
        pets, "--mode", "grey", "--levels", "4", "--steps", "4", "--out", out,
        "--model", "locally-masked-pixelcnn", "--orders", "s-curve,raster-columns-br",
    )  # fmt: skip
    return out


def test_measuring_by_one_order_each_and_their_average(curved: Path, pets: Path) -> None:
    """As `evaluate` says, with the nats of each."""
    found = {
        order: json.loads(run("evaluate", curved, pets, "--split", "train", "--order", order, "--json").stdout)
        for order in ("s-curve", "raster-columns-br", "each", "average")
    }
    one, other = (found[order]["nats"] for order in ("s-curve", "raster-columns-br"))
    within = network_rounding(pt.load(curved), one, other)
    assert found["each"]["nats"] == pytest.approx((one + other) / 2, abs=within)
    assert found["average"]["nats"] <= found["each"]["nats"]
    assert found["average"]["nats_by_order"] == pytest.approx({"s-curve": one, "raster-columns-br": other}, abs=within)
    plain = json.loads(run("evaluate", curved, pets, "--split", "train", "--json").stdout)
    assert (plain["order"], plain["nats"]) == ("s-curve", pytest.approx(one, abs=within))
    shown = run("evaluate", curved, pets, "--split", "train", "--order", "average").output
    assert re.search("order +average", shown)
    assert re.search("nats by order .*raster-columns-br", shown)


def test_a_receptive_field_under_an_order() -> None:
    """Of an untrained model, in any order that it can follow."""
    found = json.loads(
        run(
            "info", "locally-masked-pixelcnn:tiny", "--receptive-field", "1,2", "--size", "4x5",
            "--order", "s-curve-br", "--json",
        ).stdout
    )  # fmt: skip
    assert (found["earlier"], found["missing"], found["leaked"]) == (12, 0, 0)
    assert "s-curve-br" in found["summary"]
    other = ("info", "pixelcnn:tiny", "--receptive-field", "1,2", "--order", "s-curve", "--force")
    assert "masks locally" in fails(*other)
