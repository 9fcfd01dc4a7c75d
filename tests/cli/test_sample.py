"""`sample`: sheets, files, archives, animations; the same seed, the same bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.commands.sampling.conditions import SheetPlan, sheet_columns
from pointillist.system import available_cores
from tests.equality import equal
from tests.tolerances import network_rounding, printed

from .helpers import fails, files_in, run


def test_sheet_by_default(model: Path) -> None:
    shown = run("sample", model, "-n", "3", "--seed", "1").output
    for word in ("count        3", "bits/dim", "seed         1\nsame images  ", "samples.png"):
        assert word in shown
    with Image.open("samples.png") as picture:
        assert picture.format == "PNG"


def test_files_are_exact_and_can_be_read_as_a_data_set(model: Path) -> None:
    run("sample", model, "-n", "2", "--label", "each", "--seed", "3", "--out", "folder")
    expected = pt.sample(pt.load(model), 4, [0, 0, 1, 1], seed=3)
    with Image.open("folder/00002.png") as picture:
        assert picture.size == (6, 5)
        assert np.array_equal(np.asarray(picture), expected.array[2, ..., 0])
    data = pt.load_data("folder", spec=expected.image, valid_fraction=0.0).train
    assert data is not None
    assert np.array_equal(data.batch(range(4)).levels, expected.levels)
    assert data.classes == ("cat", "dog")


@pytest.mark.parametrize("fixture", ["model", "sprites"])
def test_one_image_is_one_image(fixture: str, request: pytest.FixtureRequest) -> None:
    """Its exact pixels, which every command that reads an image takes; a sheet of one on demand."""
    source = request.getfixturevalue(fixture)
    run("sample", source, "-n", "1", "--seed", "3", "--out", "one.png")
    ours = pt.load(source)
    expected = pt.sample(ours, 1, seed=3)
    with Image.open("one.png") as picture:
        assert picture.size == (ours.image.width, ours.image.height)
        assert equal(ours.to_levels(picture.copy()), expected.levels)
    evaluated = json.loads(run("evaluate", source, "one.png", "--json").stdout)
    assert evaluated["count"] == 1
    bits = -float(expected.nats[0]) / math.log(2)
    within = network_rounding(ours, bits)
    dims = expected.levels.size
    assert evaluated["bits_per_dim"] == pytest.approx(bits / dims, abs=within / dims)
    explained = json.loads(run("explain", source, "one.png", "--json", "--max-attributions", "0").stdout)
    assert explained["bits"] == pytest.approx(bits, abs=within)
    known = np.zeros((ours.image.height, ours.image.width), bool)
    known[0] = True
    assert equal(pt.inpaint(ours, "one.png", known, 1).levels[:, :, 0], expected.levels[:, :, 0])
    run("sample", source, "-n", "1", "--seed", "3", "--format", "sheet", "--out", "sheet.png")
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 100


def test_the_best_of_several(model: Path) -> None:
    """Bits saved in the report, in the list of files, and above those of single samples."""
    how = ("sample", model, "-n", "2", "--label", "each", "--seed", "1")
    shown = run(*how, "--best-of", "3", "--out", "a.png").output
    assert "best of      3\nbits saved" in shown
    found = json.loads(run(*how, "--best-of", "3", "--out", "d/", "--json").stdout)
    rows = [json.loads(line) for line in Path("d/metadata.jsonl").read_text().splitlines()]
    assert found["bits_saved"] == pytest.approx(np.mean([row["bits_saved"] for row in rows]), abs=2 * printed(3))
    expected = pt.sample(pt.load(model), 4, [0, 0, 1, 1], seed=1, best_of=3)
    with Image.open("d/00003.png") as picture:
        assert np.array_equal(np.asarray(picture), expected.array[3, ..., 0])
    assert json.loads(run(*how, "--out", "e/", "--json").stdout)["bits_saved"] is None


def test_palette_files_are_indexed(sprites: Path) -> None:
    run("sample", sprites, "-n", "2", "--seed", "1", "--out", "out/")
    expected = pt.sample(pt.load(sprites), 2, seed=1)
    with Image.open("out/00000.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), expected.levels[0, 0])
        assert np.array_equal(np.asarray(picture.convert("RGBA")), expected.array[0])


def test_another_size_where_the_model_allows_it(model: Path, sprites: Path) -> None:
    run("sample", model, "-n", "1", "--size", "3x7", "--out", "small/")
    with Image.open("small/00000.png") as picture:
        assert picture.size == (7, 3)
    found = fails("sample", sprites, "--size", "3x7")
    assert "3x7" in found
    assert "5x6" in found
    assert not Path("samples.png").exists()


def test_nothing_is_replaced_silently(model: Path) -> None:
    Path("samples.png").write_text("mine")
    Path("full").mkdir()
    Path("full/note.txt").write_text("mine")
    assert "samples.png" in fails("sample", model, "-n", "1", "--out", "samples.png")
    assert "--force" in fails("sample", model, "-n", "1", "--out", "samples.png")
    assert "--force" in fails("sample", model, "-n", "1", "--out", "full")
    run("sample", model, "-n", "2")
    assert Path("samples.png").read_text() == "mine"
    assert Path("samples-2.png").is_file()
    run("sample", model, "-n", "2", "--force", "--seed", "1")
    run("sample", model, "-n", "2", "--force", "--out", "full")
    Path("full/2024.png").write_text("mine")  # a number, which no list of samples names
    run("sample", model, "-n", "1", "--force", "--out", "full")
    assert files_in(Path("full")) == ["00000.png", "2024.png", "metadata.jsonl", "note.txt"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label", "bird"], ["'bird'", "cat, dog"]),
        (["--engine", "warp"], ["`--engine` 'warp'", "naive"]),
        (["--size", "big"], ["`--size` (='big')", "48x64"]),
        (["--texts", "none.txt", "--text", "a"], ["The file of prompts (=none.txt)", "does not exist"]),
        (["--not", "red"], ["`--not` (='red')", "`--guidance`"]),
        (["--best-of", "4"], ["`--best-of` (=4)", "a prompt or a label"]),
        (["--format", "image", "--out", "x.png"], ["16 images", "--format sheet"]),
        (["-n", "2000"], ["1,024", "2,000", "DIR/"]),
        (["--out", "x.jpg"], ["x.jpg", ".png"]),
        (["--format", "tiff"], ["'tiff'", "npz"]),
        (["--animate", "a.mp4"], ["a.mp4", ".gif"]),
        (["--animate", "a.gif", "--out", "d/"], ["--animate", "sheet"]),
    ],
)
def test_wrong_options_are_sentences_and_leave_nothing(model: Path, options: list[str], words: list[str]) -> None:
    found = fails("sample", model, *options)
    assert all(word in found for word in words), found
    assert files_in(Path()) == []


def test_wrong_models_are_sentences(sprites: Path) -> None:
    assert "'nowhere'" in fails("sample", "nowhere")
    Path("empty").mkdir()
    assert "config.json" in fails("sample", "empty")
    Path("model.pt").write_bytes(b"")
    assert "pickle" in fails("sample", "model.pt")
    assert "without labels" in fails("sample", sprites, "--label", "0")
    assert not Path("samples.png").exists()


def test_the_order_of_labels_and_prompts() -> None:
    classes = ["line", "filled", "flat"]
    alone = SheetPlan.of([1, 0], None, 2, classes)
    assert (alone.labels, alone.texts, alone.total) == ([1, 1, 0, 0], None, 4)
    one = SheetPlan.of([1, 0], ["heart"], 2, classes)
    assert (one.labels, one.texts, one.row_names) == ([1, 1, 0, 0], ["heart"] * 4, ())
    grid = SheetPlan.of([1, 0], ["heart", "home"], 2, classes)
    assert grid.labels == [1, 1, 0, 0] * 2
    assert grid.texts == ["heart"] * 4 + ["home"] * 4
    assert (grid.columns, grid.row_names, grid.column_names) == (4, ("heart", "home"), ("filled", "line"))
    long = SheetPlan.of([0, 1, 2], ["heart", "home"], 9, classes)
    assert (long.columns, long.total) == (9, 54)  # three lines of three images each, for every pair
    assert long.texts == ["heart"] * 27 + ["home"] * 27
    assert long.labels == [0, 0, 0, 1, 1, 1, 2, 2, 2] * 6
    assert SheetPlan.of([0, 1], ["heart", "home"], 16, classes).columns == 16
    assert SheetPlan.of([0, 1], ["heart", "home"], 23, classes).columns == 2  # no divisor of 23 fits
    assert SheetPlan.of([0] * 30, ["heart", "home"], 2, classes).columns == 30


def test_a_label_stays_on_one_line_of_the_sheet() -> None:
    assert sheet_columns(2, 10) == 4
    assert sheet_columns(8, 10) == 8
    assert sheet_columns(1, 3) == 3
    assert sheet_columns(100, 2) is None


def test_a_palette_model_keeps_its_indexes_and_may_change_its_colours(tmp_path: Path) -> None:
    """As an atlas for game engines: an indexed PNG of exact pixels, and a frame for each image in JSON."""
    spec = pt.ImageSpec(
        channels=1, height=3, width=4, levels=3, ordered=False, mode="palette",
        palette=((0, 0, 0, 0), (255, 0, 0, 255), (0, 255, 0, 255)),
    )  # fmt: skip
    pt.build("gated-pixelcnn", shape=spec, channels=4, layers=1, classes=["a", "b"]).save_pretrained("m")
    Path("other.hex").write_text("102030\n405060\n708090\n")
    other = ("--palette", "other.hex", "--seed", "1")
    run("sample", "m", "-n", "3", "--label", "each", "--format", "atlas", *other, "--out", "a.png")
    expected = pt.sample(pt.load("m"), 6, [0, 0, 0, 1, 1, 1], seed=1)
    with Image.open("a.png") as sheet:
        assert sheet.mode == "P"
        indexes, colours = np.asarray(sheet), np.asarray(sheet.convert("RGBA"))
    frames = json.loads(Path("a.json").read_text())["frames"]
    assert [frame["label"] for frame in frames.values()] == ["a", "a", "a", "b", "b", "b"]
    wanted = np.array([(0, 0, 0, 0), (64, 80, 96, 255), (112, 128, 144, 255)])
    for frame, levels in zip(frames.values(), expected.levels[:, 0], strict=True):
        x, y, w, h = (frame["frame"][key] for key in "xywh")
        assert np.array_equal(indexes[y : y + h, x : x + w], levels)
        shown = colours[y : y + h, x : x + w]
        assert np.array_equal(shown[levels > 0], wanted[levels[levels > 0]])
        assert not shown[levels == 0][:, 3].any()
    expected.images[0].save("known.png")
    hole = ("inpaint", "m", "known.png", "--region", "1:,:", "-n", "2", *other)
    run(*hole, "--out", "halves/")
    with Image.open("halves/00000.png") as half:
        assert np.array_equal(np.asarray(half.convert("RGBA"))[0], wanted[expected.levels[0, 0, 0]])
    assert "changes nothing of an .npz" in fails(*hole, "--out", "b.npz")
    Path("few.hex").write_text("102030\n405060\n")
    assert "must have 3" in fails("sample", "m", "--palette", "few.hex", "--out", "b.png")
    assert "already there" in fails("sample", "m", "--format", "atlas", "--out", "a.png")


def test_only_palettes_are_recoloured(model: Path) -> None:
    Path("other.hex").write_text("102030\n405060\n")
    assert "cannot recolour grey" in fails("sample", model, "--palette", "other.hex")


def test_engines_and_threads(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The number of threads changes nothing."""
    run("sample", model, "-n", "2", "--seed", "1", "--engine", "naive", "--out", "a.npz")
    few = run("sample", model, "-n", "2", "--seed", "1", "--threads", "2", "--engine", "numpy", "--out", "b.npz")
    many = run("sample", model, "-n", "2", "--seed", "1", "--threads", "900", "--engine", "numpy", "--out", "c.npz")
    cores = available_cores()
    assert f"900 threads were set, and {cores} cores are there: {cores} are used" in many.output
    assert "threads were set" not in few.output or cores < 2
    first, *others = (np.load(f"{name}.npz")["levels"] for name in "abc")
    for other in others:
        assert (first == other).all()
    assert "auto, integer, torch, numpy, naive" in fails("sample", model, "--engine", "warp")


def test_four_of_each_label_and_sixteen_without(model: Path) -> None:
    """Unless a number is typed."""
    for options, count in (([], 16), (["--label", "cat"], 4), (["--label", "each"], 8), (["-n2", "--label", "cat"], 2)):
        run("sample", model, *options, "--engine", "numpy", "--seed", 0, "--out", "x.npz", "--force")
        with np.load("x.npz") as archive:
            assert len(archive["levels"]) == count


NEIGHBOURS = '[adjacency]\nobserved = "maps.npz"\n'


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("digits", "--engine", "numpy"), "none: a page paints by the stored integer program alone"),
        (("dungeons", "--rules", "neighbours.toml"), "none: a link does not hold the --rules of these images"),
        (("icons", "--text", "a" * 6001), "none: a link does not hold the --text of these images"),
        (("icons", "--text", "bell", "--best-of", "17"), "none: a link does not hold the --best-of of these images"),
    ],
)
def test_what_no_link_holds_is_said(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], sentence: str) -> None:
    """Instead of an address that would name another picture."""
    Path("neighbours.toml").write_text(NEIGHBOURS)
    run("sample", "dungeons", "-n", "16", "--seed", "1", "-o", "maps.npz")
    monkeypatch.setenv("POINTILLIST_SITE", "https://example.org/{model}.html")
    assert f"page         {sentence}\n" in run("sample", *options, "-n", "1", "--seed", "1").output


def test_a_site_gives_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where it is configured; what differs from image to image ends it; other pixels on a page are said."""
    command = ("sample", "digits", "--label", "3,5", "-n", "2", "--seed", "7")
    monkeypatch.delenv("POINTILLIST_SITE", raising=False)
    assert "page " not in run(*command).output
    monkeypatch.setenv("POINTILLIST_SITE", "http://127.0.0.1:8000/")
    words = run(*command, "--temperature", "0.8").output.partition("page ")[2].split()
    address = "http://127.0.0.1:8000/#model=digits&label=3&seed=7&temperature=0.8&n=2"
    assert words == [address, *["(the", "first", "2", "of", "4)"]]
    for text, differs in (("harts", True), ("hearts", False)):
        shown = " ".join(run("sample", "icons", "--text", text, "-n", "1").output.split())
        assert (f"(a studio paints it; an exported page reads '{text}' by its letters" in shown) == differs
