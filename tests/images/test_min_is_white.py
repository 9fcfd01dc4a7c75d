"""Pictures in numpy are pictures wherever a model takes images; ink on white paper is shown, saved and read as such."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.commands.sampling.writers import as_files
from pointillist.compression.about import PictureFile
from pointillist.compression.files import as_array, extract, open_inputs
from pointillist.compression.models import image_of
from pointillist.compression.pictures import read_levels, to_picture
from pointillist.compression.writer import ArchiveWriter
from pointillist.data import load_data
from pointillist.images import ImageSpec
from pointillist.images.visualization import save_png
from pointillist.model.folder.image_sources import describe_image
from pointillist.model.portable import load
from pointillist.zoo import resolve

FORMS = ("L", "LA", "RGB", "RGBA", "P", "file")


def written(picture: Image.Image, shown: Image.Image, form: str) -> Image.Image:
    """Return a saved icon as another program may save it: with its transparency, or on white paper."""
    if form == "file":
        return picture
    return picture.convert(form) if form in ("LA", "RGBA") else shown.convert(form)


@pytest.mark.parametrize("levels", [2, 3, 4, 7, 256])
@pytest.mark.parametrize("form", FORMS)
def test_a_saved_picture_is_read_as_its_levels(levels: int, form: str) -> None:
    spec = ImageSpec(channels=1, height=16, width=16, levels=levels, mode="grey", min_is_white=True)
    x = np.random.default_rng(0).integers(0, levels, (1, 1, 16, 16))
    x[0, 0, 0, :2] = 0, levels - 1
    assert spec.to_images(x)[0, 0, :2, 0].tolist() == [255, 0]
    saved = written(spec.to_files(x)[0], spec.to_pil(x)[0], form)
    assert np.array_equal(spec.level_array(saved), x)
    assert np.array_equal(spec.level_array(np.asarray(saved.convert("RGBA"))), x)
    assert np.array_equal(spec.level_array(spec.to_images(x)), x)


def test_files_have_transparent_paper() -> None:
    spec = ImageSpec(channels=1, height=1, width=4, levels=4, mode="grey", min_is_white=True)
    picture = spec.to_files(np.arange(4).reshape(1, 1, 1, 4))[0]
    assert np.asarray(picture).tolist() == [[0, 1, 2, 3]]
    assert np.asarray(picture.convert("RGBA"))[0].tolist() == [[0, 0, 0, ink] for ink in (0, 85, 170, 255)]


def test_only_grey_pictures_have_ink() -> None:
    with pytest.raises(pt.errors.ConfigError, match="for grey pictures, and these are rgb"):
        ImageSpec(channels=3, height=4, width=4, mode="rgb", min_is_white=True)


def test_models_without_it_are_described_as_before() -> None:
    spec = ImageSpec.infer((1, 4, 4))
    assert "min_is_white" not in spec.model_dump()
    white = ImageSpec(**{**spec.model_dump(), "min_is_white": True})
    assert ImageSpec(**white.model_dump(mode="json")) == white


@pytest.mark.parametrize("form", FORMS)
def test_what_one_command_writes_every_other_reads(form: str, tmp_path: Path) -> None:
    samples = pt.sample("icons", 2, text="heart", label="tabler", seed=7)
    model, folder = pt.load("icons"), tmp_path / "icons"
    folder.mkdir()
    for number, picture in enumerate(as_files(samples)):
        save_png(written(picture, samples.images[number], form), folder / f"{number}.png")
    for number in range(2):
        read = describe_image(model, folder / f"{number}.png")
        assert np.array_equal(read.levels[0], samples.levels[number])
        assert not read.notes
    data = load_data(folder, spec=model.image).get("all")
    assert np.array_equal(data.batch(range(2)).levels, samples.levels)
    assert np.array_equal(data.spec.to_images(samples.levels), samples.array)


@pytest.mark.parametrize("form", FORMS)
def test_archives_restore_every_form(form: str, tmp_path: Path) -> None:
    samples = pt.sample("icons", 1, text="bell", seed=3)
    path, archive, out = tmp_path / "bell.png", tmp_path / "bell.pxl", tmp_path / "out"
    save_png(written(as_files(samples)[0], samples.images[0], form), path)
    image = image_of("icons")
    levels, file = read_levels(path, "bell.png", image)
    assert np.array_equal(levels, samples.levels[0])
    with archive.open("wb") as stream, ArchiveWriter(stream, load(resolve("icons"))) as writer:
        writer.add_metadata({"files": [file.to_json()]})
        writer.add(levels, -1)
    extract(archive, out)
    before, after = (np.asarray(Image.open(each).convert("RGBA")) for each in (path, out / "bell.png"))
    assert np.array_equal(before, after)
    older = PictureFile.from_json([*file.to_json()[:1], "L", {}])  # of an archive that knew no ink
    assert np.array_equal(np.asarray(to_picture(levels, image, older)), 255 - samples.array[0, ..., 0])


def test_arrays_of_pictures_are_restored(tmp_path: Path) -> None:
    samples = pt.sample("icons", 2, text="bell", seed=3)
    path = tmp_path / "bells.npy"
    np.save(path, samples.array)
    inputs = open_inputs([path], image_of("icons"))
    read = list(inputs)
    assert np.array_equal(np.stack(read), samples.levels)
    assert np.array_equal(as_array(read, image_of("icons"), inputs.about), samples.array[..., 0])


def test_a_grey_between_levels_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (24, 24), 100).save(path)
    with pytest.raises(pt.errors.DataError, match=r"colour \(100, 100, 100, 255\) at row 0, column 0"):
        read_levels(path, "grey.png", image_of("icons"))


def test_pictures_are_compressed_as_they_are_saved() -> None:
    samples = pt.sample("icons", 2, text="bell", seed=3)
    for pictures in (as_files(samples), samples.images, samples.array):
        assert np.array_equal(pt.decompress(pt.compress("icons", pictures)), samples.levels)


def test_the_setting_stays_with_the_model(tmp_path: Path) -> None:
    model = pt.load("icons")
    model.save_pretrained(tmp_path)
    assert pt.load(tmp_path).image.min_is_white
    assert pt.load(tmp_path).fingerprint == model.fingerprint
    config = json.loads((tmp_path / "config.json").read_text())
    assert "min_is_white" not in config["image"]


def test_the_setting_is_checked(tmp_path: Path) -> None:
    model = pt.build("pixelcnn", shape=(3, 4, 4), preset="tiny")
    model.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"min_is_white": true}')
    with pytest.raises(pt.errors.CheckpointError, match="for grey pictures"):
        pt.load(tmp_path)


@pytest.fixture(scope="module")
def samples() -> pt.Samples:
    return pt.sample("digits", 3, seed=2)


def test_what_is_neither_names_the_remedy() -> None:
    """Integers of another type and shape are not taken for pictures."""
    with pytest.raises(pt.errors.ShapeError, match="to_levels"):
        pt.load("digits").log_prob(np.zeros((28, 28), np.int64))
    with pytest.raises(pt.errors.ShapeError, match="to_levels"):
        pt.evaluate("digits", np.zeros((28, 28), np.int64))


def test_a_narrow_grey_image_is_no_colour() -> None:
    """A last axis of 3 is the width where the model is that narrow."""
    spec = pt.ImageSpec.infer((1, 5, 3))
    assert spec.level_array(np.zeros((2, 5, 3), np.uint8)).shape == (2, 1, 5, 3)
    assert pt.ImageSpec.infer((1, 5, 5)).level_array(np.zeros((5, 5, 3), np.uint8)).shape == (1, 1, 5, 5)
    assert not pt.ImageSpec.infer((1, 5, 5)).is_picture(np.zeros((1, 1, 5, 5), np.uint8))
    assert pt.ImageSpec.infer((3, 5, 5)).is_picture(Image.new("L", (5, 5)))


def test_a_data_set_answers_names_and_slices() -> None:
    """The names of other libraries; a slice is a data set."""
    data = pt.load_data("uci-digits").train
    assert len(data[:3]) == 3
    assert data[-2:].texts == data.texts
    for name in ("images", "x", "to_pandas", "y"):
        with pytest.raises(AttributeError, match=f"`data` has no `{name}`: use `data"):
            getattr(data, name)
    with pytest.raises(pt.errors.ConfigError, match="takes a number or a slice"):
        data[True]
    for wrong in (["a"], [1.7], [True, False]):
        with pytest.raises(pt.errors.ConfigError, match="counted by whole numbers"):
            data.batch(wrong)
    with pytest.raises(pt.errors.ConfigError, match="takes a number or a slice"):
        data["a"]
