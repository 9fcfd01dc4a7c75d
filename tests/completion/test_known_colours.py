"""Known pixels keep the colours of the picture that was given, and what the levels do not hold is said."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.completion.canvas import extend, make_seamless

from ..cli.helpers import fails, run

KNOWN = np.zeros((28, 28), bool)
KNOWN[:14] = True


def scan(seed: int = 5) -> np.ndarray:
    """A digit with the grey values of a scanner, which the 16 levels of the model do not hold."""
    digit = pt.sample("digits", 1, label=3, seed=seed).array[0, ..., 0].astype(int)
    noise = np.random.default_rng(0).integers(-6, 7, digit.shape)
    return np.clip(digit + noise * (digit > 0), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["path", "pil", "array", "colour"])
def test_known_pixels_keep_their_colours(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For every form of a picture; one sentence counts what the levels do not hold."""
    array = scan()
    colour = np.repeat(array[..., None], 3, -1)
    colour[:, :5] = (10, 200, 30)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    image = {"path": path, "pil": Image.fromarray(array), "array": array, "colour": Image.fromarray(colour)}[kind]
    with caplog.at_level(logging.WARNING):
        out = pt.inpaint("digits", image, KNOWN, n=3, seed=1)
    expected = colour if kind == "colour" else array[..., None]
    assert (out.array[:, :14] == expected[:14]).all()
    assert np.array_equal(np.asarray(out[1]), out.array[1].squeeze())
    assert (np.asarray(out[1:].images[0])[:14] == expected[:14].squeeze()).all()
    (sentence,) = caplog.messages
    assert "pixels were brought to the 16 greys, by up to" in sentence
    levels = pt.load("digits").to_levels(Image.fromarray(colour) if kind == "colour" else array)
    assert np.array_equal(out.levels[:, :, :14], np.repeat(levels.numpy()[:, :, :14], 3, 0))
    assert np.array_equal(out.levels, pt.inpaint("digits", levels[0], KNOWN, n=3, seed=1).levels)


def test_what_the_levels_hold_needs_no_word(caplog: pytest.LogCaptureFixture) -> None:
    """A picture of the model's own colours is drawn by its levels."""
    out = pt.inpaint("digits", pt.sample("digits", 1, seed=3).images[0], KNOWN, n=1, seed=1)
    assert out.picture is None
    assert not caplog.messages


def test_variations_and_canvases_keep_them_too() -> None:
    """Of each variation its own pixels; of an image that tiles, what no band drew."""
    array = scan()
    varied = pt.vary("digits", array, 0.3, n=2, seed=1)
    assert (varied.array[..., 0] == array)[varied.known_pixels].all()
    tiled = make_seamless(pt.load("digits"), array, "x", n=2, seed=1)
    assert tiled.known.mean() > 0.5
    assert (tiled.array[..., 0] == array)[tiled.known_pixels].all()
    wide = extend(pt.load("digits"), array, (28, 40), at=(0, 6), n=1, seed=1)
    assert (wide.array[0, :, 6:34, 0] == array).all()
    assert wide.known.sum() == array.size


def test_palette_images_keep_the_colours_around_a_hole() -> None:
    """Colours that the palette does not have stay, with their transparency."""
    palette = ((0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255), (255, 255, 255, 255))
    spec = pt.ImageSpec(channels=1, height=6, width=6, levels=4, ordered=False, mode="palette", palette=palette)
    model = pt.build("pixelcnn", shape=spec, channels=4, layers=1)
    sprite = np.full((6, 6, 4), (200, 20, 10, 255), np.uint8)
    sprite[0] = 0
    known = np.ones((6, 6), bool)
    known[3:, :] = False
    out = pt.inpaint(model, sprite, known, n=2, method="sequential", seed=0)
    assert (out.array[:, :3] == sprite[:3]).all()
    assert {tuple(c) for c in out.array[:, 3:].reshape(-1, 4).tolist()} <= set(palette)
    other = out.recoloured([(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)])
    assert (other.array[:, 1:3] == (2, 2, 2, 255)).all()


def test_another_scale_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A picture of another size than the training images."""
    model = pt.build("pixelcnn", shape=(1, 16, 16), channels=4, layers=1)
    known = np.ones((32, 32), bool)
    known[0, 0] = False
    pt.inpaint(model, np.zeros((32, 32), np.uint8), known, n=1, method="sequential", seed=0)
    assert "the picture is 32x32, and the model was trained on 16x16" in caplog.text


def test_commands_that_score_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`explain` and `evaluate`; `compress` names a model that holds the picture."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scan()).save("a.png")
    assert "8-bit values quantised to 16 levels" in run("explain", "digits", "a.png", "--max-attributions", "0").output
    assert "8-bit values quantised to 16 levels" in run("evaluate", "digits", "a.png").output
    assert "use `photos-grey`, which takes any grey picture of 8 bits" in fails(
        "compress", "digits", "a.png", "--out", "a.pxl"
    )


def test_cielab_is_a_sentence(tmp_path: Path) -> None:
    """Pillow does not convert it; every reader of pictures says so."""
    path = tmp_path / "lab.tif"
    Image.new("LAB", (28, 28)).save(path)
    with pytest.raises(pt.errors.DataError, match="pixels of kind 'LAB'"):
        pt.inpaint("digits", path, KNOWN, n=1)
    with pytest.raises(pt.errors.DataError, match="pixels of kind 'LAB'"):
        pt.load_data(path)
