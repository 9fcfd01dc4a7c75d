"""`inpaint`: holes by mask, region and transparency; sheets, exact files, archives; one sentence for what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from tests.equality import equal
from tests.tolerances import network_rounding

from .helpers import fails, run, train

pytestmark = pytest.mark.proof


@pytest.fixture(scope="session")
def completing(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that completes images, fine-tuned or not: trained with the option."""
    out = tmp_path_factory.mktemp("runs") / "completing"
    train(pets, "--mode", "grey", "--levels", "8", "--steps", "3", "--completion", "--out", out)
    return out


@pytest.fixture
def picture(pets: Path) -> Path:
    with Image.open(sorted(pets.rglob("*.png"))[0]) as image:
        image.convert("L").save("given.png")
    return Path("given.png")


def test_a_grid_larger_than_the_images_is_filled_in_windows() -> None:
    """By a model of fixed size; a smaller grid is an error that names the sizes."""
    Path("holes.csv").write_text("row,column,value\n3,5,1\n30,2,0\n", encoding="utf-8")
    run("inpaint", "digits", "--data", "holes.csv", "--size", "32x28", "-n", "1", "--seed", "0", "--out", "x.npz")
    levels = np.load("x.npz")["levels"]
    assert levels.shape == (1, 1, 32, 28)
    assert (levels[0, 0, 3, 5], levels[0, 0, 30, 2]) == (1, 0)
    assert "only 28x28" in fails("inpaint", "digits", "--data", "holes.csv", "--size", "32x20")


def test_a_share_of_a_region_varies(completing: Path, picture: Path) -> None:
    """The variations are those of `vary` that keep all else."""
    region = "--region", "1:4,2:5"
    run("inpaint", completing, picture, *region, "--vary", "0.5", "-n", "3", "--seed", "1", "--out", "x.npz")
    keep = np.ones((5, 6), bool)
    keep[1:4, 2:5] = False
    expected = pt.vary(completing, picture, 0.5, 3, keep=keep, seed=1)
    with np.load("x.npz") as archive:
        assert np.array_equal(archive["levels"], expected.levels)
    assert (~expected.known).sum((1, 2, 3)).tolist() == [4, 4, 4]


def test_a_completing_model_is_exact(completing: Path, picture: Path) -> None:
    """By its option alone; the sheet, the animation and the archive are those of the library."""
    shown = run("inpaint", completing, picture, "--region", "1:4,2:5", "-n", "3", "--seed", "1", "--animate", "a.gif")
    assert re.search("exact +yes\n(.*\n)?method +known", shown.output)
    assert Path("completions.png").exists()
    assert Path("a.gif").exists()
    found = json.loads(
        run(
            "inpaint", completing, picture, "--region", "1:4,2:5", "-n", "3", "--seed", "1", "--out", "x.npz", "--json"
        ).output
    )
    model, known = pt.load(completing), np.ones((5, 6), bool)
    known[1:4, 2:5] = False
    expected = pt.inpaint(model, picture, known, 3, seed=1)
    within = network_rounding(model, expected.nats)
    with np.load("x.npz") as archive:
        assert np.array_equal(archive["levels"], expected.levels)
        assert np.allclose(archive["nats"], expected.nats, rtol=0, atol=within)
    assert found["method"] == "known"
    assert found["exact"]
    assert found["unknown"] == 9
    np.testing.assert_allclose(found["bits"], -expected.nats / np.log(2), rtol=0, atol=within / np.log(2))
    assert equal(expected.nats, model.integer_model().log_prob(expected.levels, known=(expected.levels, known)))


@pytest.mark.slow
def test_any_model_completes(model: Path, picture: Path) -> None:
    """By particles; in an order where the hole comes last; a mask says the same as a region; files are exact."""
    hole = np.zeros((5, 6), np.uint8)
    hole[1:4, 2:5] = 255
    Image.fromarray(hole).save("hole.png")
    for name, how in (("a", ["--region", "1:4,2:5"]), ("b", ["--mask", "hole.png"])):
        shown = run("inpaint", model, picture, *how, "-n", "2", "--seed", "0", "--particles", "8", "--out", f"{name}/")
        assert "method      smc" in shown.output
    for number in range(2):
        assert Path(f"a/0000{number}.png").read_bytes() == Path(f"b/0000{number}.png").read_bytes()
    with Image.open("a/00000.png") as filled:
        kept = hole == 0
        assert np.array_equal(np.asarray(filled)[kept], np.asarray(Image.open(picture))[kept])
    assert "method     order" in run("inpaint", model, picture, "--region", "3:,:", "-n", "2").output


def test_pictures_are_read_as_data_sets_read_them(completing: Path, picture: Path) -> None:
    """Upright, 16 bits as 8, and transparency on white: the known pixels are those that `evaluate` scores."""
    model, grey = pt.load(completing), np.asarray(Image.open(picture))
    Image.fromarray(grey.astype(np.uint16) * 257).save("deep.png")
    turned = Image.fromarray(np.rot90(grey))  # a quarter to the left; orientation 6 turns it back
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save("turned.png", exif=exif)
    clear = np.dstack([grey, np.full_like(grey, 255)])
    clear[0] = (30, 0)
    Image.fromarray(clear, "LA").save("clear.png")
    Image.fromarray(clear, "LA").convert("RGBA").save("colour.png")
    for name in ("deep.png", "turned.png", "clear.png", "colour.png"):
        run("inpaint", completing, name, "--region", "3:,:", "-n", "1", "--out", "x.npz", "--force")
        with np.load("x.npz") as archive:
            found = archive["levels"][0, :, :3]
        read = pt.load_data(name, spec=model.image).get("all").batch([0]).levels
        assert np.array_equal(found, read[0, :, :3]), name
        plain = model.to_levels(Image.open(picture))[0].numpy()
        assert np.array_equal(found, plain[:, :3]) == (name in ("deep.png", "turned.png"))


def test_canvases_and_seams(completing: Path, sprites: Path, picture: Path) -> None:
    """An image is extended beyond its edges, and made to tile; windows where the model has one size."""
    found = run("inpaint", completing, picture, "--canvas", "9x8", "--at", "2,1", "-n", "2", "--out", "x.npz")
    assert re.search("method +known\n", found.output)
    with np.load("x.npz") as archive:
        assert archive["levels"].shape == (2, 1, 9, 8)
    shown = json.loads(run("inpaint", completing, picture, "--seamless", "both", "-n", "2", "--json").output)
    assert shown["methods"] == ["known"] * 3
    assert shown["orders"] == ["raster"] * 3
    assert Path("completions.png").exists()
    how = ["--canvas", "7x6", "-n", "1", "--particles", "4", "--moves", "0"]
    shown_windows = run("inpaint", sprites, picture, *how).output  # the second window; the first one is the image
    assert re.search("method +order\n", shown_windows)
    for arguments, words in (
        (["--canvas", "9x8", "--seamless", "x"], "give one of them"),
        (["--canvas", "9x8", "--region", "1:2,1:2"], "give one of them"),
        (["--canvas", "4x4"], "beyond a canvas of 4x4"),
        (["--canvas", "9x8", "--at", "middle"], "must be R,C"),
        (["--seamless", "z"], "must be x, y or both"),
        (["--seamless", "x", "--animate", "a.gif"], "shows one hole"),
    ):
        assert words in fails("inpaint", completing, picture, *arguments), arguments


def test_faults_are_sentences(model: Path, sprites: Path, picture: Path) -> None:
    Image.fromarray(np.zeros((3, 3), np.uint8)).save("small.png")
    Image.fromarray(np.zeros((5, 6), np.uint8)).save("black.png")
    Image.fromarray(np.full((5, 6), 255, np.uint8)).save("white.png")
    region = ["--region", "3:,:"]
    for arguments, words in (
        ([model, picture], "hole is missing"),
        ([model, picture, *region, "--transparent"], "given twice"),
        ([model, picture, "--mask", "small.png"], "must have the size of the image, 5x6"),
        ([model, picture, "--mask", "black.png"], "leaves nothing to fill"),
        ([model, picture, "--mask", "white.png"], "leaves no known pixel"),
        ([model, picture, "--transparent"], "leaves nothing to fill"),
        ([model, picture, "--region", "3:9,:"], "must have rows from 0 to 5"),
        ([model, picture, "--region", "centre"], "must be R0:R1,C0:C1"),
        ([model, picture, "--region", ":,:"], "leaves no known pixel"),
        ([model, picture, "--region", "1:2,:", "--method", "order"], "come after unknown ones"),
        ([model, picture, *region, "--method", "magic"], "choose one of auto"),
        ([model, picture, *region, "--out", "x.jpg"], "must end in .png"),
        ([model, picture, *region, "--animate", "x.gif", "--out", "x.npz"], "goes with a sheet"),
    ):
        assert words in fails("inpaint", *arguments), arguments
    for name in ("completions.png", "completions-2.png"):  # never over a file that is there
        assert name in run("inpaint", model, picture, *region, "-n", "1").output.split()
    given = [*region, "-n", "1", "--out", "completions.png"]
    assert "already there" in fails("inpaint", model, picture, *given)


def test_observed_cells(completing: Path) -> None:
    """A table instead of an image: the realisations are those of the library, on any grid; maps are their shares."""
    Path("holes.csv").write_text("x,y,value,p_7\n0,0,3,\n8,6,1,\n4,4,,0.9\n", encoding="utf-8")
    how = ("--data", "holes.csv", "--size", "7x9", "-n", "5", "--seed", "2")
    shown = run("inpaint", completing, *how, "--format", "npy", "--out", "real", "--maps", "maps")
    assert "method     soft" in shown.output
    model = pt.load(completing)
    expected = pt.inpaint(model, pt.read_cells("holes.csv", model.image, (7, 9)), n=5, seed=2)
    levels = np.stack([np.load(f"real/{i:05d}.npy") for i in range(5)])
    assert equal(levels, expected.levels[:, 0])
    assert (levels[:, 6, 0] == 3).all()
    assert (levels[:, 0, 8] == 1).all()
    np.testing.assert_allclose(np.load("maps/probability-3.npy"), (levels == 3).mean(0))
    assert {path.stem for path in Path("maps").glob("*.png")} == {path.stem for path in Path("maps").glob("*.npy")}
    assert "maps are of the realisations" in shown.output
    run("inpaint", completing, *how, "--format", "gslib", "--out", "grids")
    assert np.loadtxt("grids/00000.gslib", skiprows=3).reshape(7, 9)[::-1].tolist() == levels[0].tolist()
    Path("holes.csv").write_text("x,y,value\n0,0,3\n8,6,1\n", encoding="utf-8")
    assert "head to realisations" in run("inpaint", completing, *how, "--maps", "both").output
    assert np.load("both/probability-3.npy")[6, 0] == 1


def test_earlier_realisations_leave(completing: Path) -> None:
    """With `--force`, the folder holds what its list names, and nothing of the call before."""
    Path("holes.csv").write_text("row,column,value\n4,4,3\n", encoding="utf-8")
    for count in ("3", "2"):
        run("inpaint", completing, "--data", "holes.csv", "-n", count, "--format", "npy", "--out", "real/", "--force")
        Path("real/7.npy").write_text("mine")
    assert sorted(path.name for path in Path("real").glob("*.npy")) == ["00000.npy", "00001.npy", "7.npy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "1:2,1:2"], "`--region` is for an image"),
        (["given.png"], "missing or given twice"),
        (["--size", "2x2"], "outside the grid of 2x2 cells"),
        (["--out", "a.npy"], "must end in .png"),
        (["--format", "npy", "--out", "a.npy"], "must be a folder for `--format npy`"),
        (["--maps", "there"], "already"),
    ],
)
def test_observed_cells_that_are_wrong(completing: Path, picture: Path, arguments: list[str], message: str) -> None:
    Path("there").mkdir()
    Path("there/entropy.png").touch()
    Path("holes.csv").write_text("row,column,value\n4,4,3\n", encoding="utf-8")
    assert message in fails("inpaint", completing, "--data", "holes.csv", *arguments)
