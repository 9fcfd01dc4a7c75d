"""`compress` and `decompress`: files come back with their names, modes and texts, equal to the pixel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.cli.app import app
from pointillist.compression.about import PictureFile, safe_name
from pointillist.compression.pictures import to_levels, to_picture
from pointillist.errors import ArchiveError, DataError
from pointillist.images import ImageSpec
from tests.tolerances import FORMULA

pytestmark = pytest.mark.proof

PALETTE = ((0, 0, 0, 0), (255, 0, 0, 255), (0, 255, 0, 255), (10, 20, 30, 255))


def run(*arguments: object, code: int = 0) -> str:
    """Run a command; return what it printed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of grey images of 16 levels, with its integer program."""
    folder = tmp_path_factory.mktemp("models") / "grey"
    torch.manual_seed(0)
    model = pt.build("pixelcnn", shape=(1, 6, 5), levels=16, preset="tiny").eval()
    pt.quantize_integer(model, torch.randint(0, 16, (4, 1, 6, 5)))
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of several modes and sizes, in a folder of folders."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, (name, size) in enumerate([("a.png", (6, 5)), ("b.png", (6, 5)), ("deep/ü.png", (9, 4))]):
        grey = Image.fromarray((rng.integers(0, 16, size) * 17).astype(np.uint8))
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("pointillist", json.dumps({"seed": number}))
        grey.convert("RGB" if number == 1 else "L").save(folder / name, pnginfo=texts)
    return folder


def test_files_come_back(model: Path, pictures: Path, tmp_path: Path) -> None:
    """Below their folders, in their modes, with their texts; what is not a picture is named."""
    archive = tmp_path / "a.pxl"
    (pictures / "deep" / "notes.txt").write_text("no picture")
    facts = json.loads(run("compress", model, pictures, "--out", archive, "--json"))
    assert (facts["images"], facts["left_out"]) == (3, "1 .txt")
    assert facts["bytes"] == archive.stat().st_size
    run("decompress", archive, "--model", model, "--out", tmp_path / "out")
    for path in pictures.rglob("*.png"):
        before, after = Image.open(path), Image.open(tmp_path / "out" / path.relative_to(pictures))
        assert (before.mode, before.size, before.info) == (after.mode, after.size, after.info)
        assert before.tobytes() == after.tobytes()


@pytest.mark.slow
def test_an_archive_goes_through_a_pipe(model: Path, pictures: Path, tmp_path: Path) -> None:
    """Written to standard output, read from standard input, with the names of the files."""
    command = [sys.executable, "-m", "pointillist"]
    sent = subprocess.run([*command, "compress", model, pictures, "--out", "-"], capture_output=True, check=True)
    got = [*command, "decompress", "-", "--model", model, "--out", tmp_path / "out"]
    subprocess.run(got, input=sent.stdout, capture_output=True, check=True)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    assert names == {"a.png", "b.png", "deep/ü.png"}


@pytest.mark.parametrize("values", ["levels", "pictures"])
def test_an_array_comes_back(model: Path, tmp_path: Path, values: str) -> None:
    """Levels, or the 8-bit values that they stand for; `evaluate --codec` measures the archive and its likelihood."""
    x = np.random.default_rng(0).integers(0, 16, (4, 6, 5)).astype(np.uint8)
    x = x * 17 if values == "pictures" else x
    np.savez(tmp_path / "x.npz", x=x)
    run("compress", model, tmp_path / "x.npz", "--out", tmp_path / "a.pxl")
    run("decompress", tmp_path / "a.pxl", "--model", model, "--out", tmp_path / "y.npz")
    assert np.array_equal(np.load(tmp_path / "y.npz")["x"], x)
    run("decompress", tmp_path / "a.pxl", "--model", model, "--out", tmp_path / "files")
    assert len(list((tmp_path / "files").iterdir())) == 4
    facts = json.loads(run("evaluate", model, tmp_path / "x.npz", "--codec", "--json"))
    levels = (x // 17 if values == "pictures" else x)[:, None]
    assert facts["codec"]["bits_per_dim"] == 8 * len(pt.compress(model, levels)) / x.size
    assert facts["codec"]["likelihood_bits_per_dim"] == pytest.approx(facts["bits_per_dim"], rel=FORMULA)


def test_damage_is_named_and_the_rest_comes_out(model: Path, pictures: Path, tmp_path: Path) -> None:
    """By `info` without the model; without `--salvage` the error, with it what is whole, and exit code 1."""
    archive = tmp_path / "a.pxl"
    run("compress", model, pictures, "--out", archive, "--per-record", 1)
    assert json.loads(run("info", archive, "--json"))["damage"] == []
    whole = archive.read_bytes()
    archive.write_bytes(bytes(byte ^ (place == len(whole) // 2) for place, byte in enumerate(whole)))
    assert "is damaged near byte" in json.loads(run("info", archive, "--json"))["damage"][0]
    assert "is damaged near byte" in " ".join(run("info", archive).split())
    archive.write_bytes(whole[:-40])
    assert "cut off" in run("decompress", archive, "--model", model, "--out", tmp_path / "x", code=2)
    output = run("decompress", archive, "--model", model, "--out", tmp_path / "y", "--salvage", code=1)
    assert "cut off" in output
    assert (tmp_path / "y" / "a.png").exists()
    cuts = (archive.read_bytes()[:length] for length in range(200, 0, -1))
    archive.write_bytes(next(cut for cut in cuts if len(pt.Archive(cut)) == 0))  # only the names are left
    output = run("decompress", archive, "--model", model, "--out", tmp_path / "z", "--salvage", code=1)
    assert "3 images or more" in output
    assert json.loads(run("info", archive, "--json"))["bits_per_dim"] is None


def test_an_animation_is_rejected(model: Path, tmp_path: Path) -> None:
    """Its first frame alone would not be without loss."""
    frames = [Image.fromarray(np.full((6, 5), value, np.uint8)) for value in (0, 17, 255)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "still.gif")
    said = run("compress", model, tmp_path / "moving.gif", "--out", tmp_path / "a.pxl", code=2)
    assert "several frames" in " ".join(said.split())
    assert not (tmp_path / "a.pxl").exists()
    run("compress", model, tmp_path / "still.gif", "--out", tmp_path / "a.pxl")


@pytest.mark.parametrize(
    "name", ["../a.png", "/etc/a.png", "a/../../b.png", "C:a.png", "a\\..\\b", "", "a\x1b.png", "."]
)
def test_a_name_of_a_stranger_stays_below_the_folder(name: str) -> None:
    """Whatever an archive says, and on any system."""
    with pytest.raises(ArchiveError):
        safe_name(name)


@pytest.mark.parametrize("value", [None, [], ["a", "L"], ["a", 1, {}], ["a", "L", {"texts": {"k": 1}}]])
def test_names_of_another_form_are_rejected(value: object) -> None:
    """JSON of a stranger."""
    with pytest.raises(ArchiveError):
        PictureFile.from_json(value)


@pytest.mark.parametrize("mode", ["grey", "rgb", "rgba", "palette", "codes"])
def test_levels_hold_pictures_exactly_or_say_where_not(mode: str) -> None:
    """Every kind of image; another colour is named with its place."""
    rng = np.random.default_rng(0)
    if mode == "palette":
        image = ImageSpec(channels=1, height=4, width=5, levels=4, ordered=False, mode="palette", palette=PALETTE)
    elif mode == "codes":
        image = ImageSpec(channels=1, height=4, width=5, levels=300, ordered=False)
    else:
        image = ImageSpec.infer(({"grey": 1, "rgb": 3, "rgba": 4}[mode], 4, 5), levels=4)
    levels = rng.integers(0, image.levels, (image.channels, 4, 5))
    if mode == "rgba":
        levels[:3] *= levels[3] > 0
    picture = to_picture(levels, image, PictureFile("a.png", ""))
    assert np.array_equal(to_levels(picture, "a.png", image), levels)
    if mode != "codes":
        changed = picture.convert("RGBA")
        changed.putpixel((3, 2), (7, 100, 9, 255))
        with pytest.raises(DataError, match=r"\(7, 100, 9, 255\) at row 2, column 3"):
            to_levels(changed, "a.png", image)
    if mode in ("grey", "rgb"):
        changed.putpixel((1, 0), (0, 0, 0, 0))
        with pytest.raises(DataError, match=r"transparent at row 0, column 1, .* mode rgba"):
            to_levels(changed, "a.png", image)
    with pytest.raises(DataError, match="mode"):
        to_levels(Image.new("F", (5, 4)), "a.png", image)


def test_a_folder_may_have_a_dot_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the slash that the message asks for."""
    monkeypatch.chdir(tmp_path)
    pt.sample("digits", 1, seed=0).save("a.png")
    run("compress", "digits", "a.png", "--out", "a.pxl")
    run("decompress", "a.pxl", "--out", "out.v2/")
    assert Path("out.v2/a.png").is_file()
    assert "give DIR/" in " ".join(run("decompress", "a.pxl", "--out", "other.v2", code=2).split())
