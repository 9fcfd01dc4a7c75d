"""Pictures of more than 256 levels: exact in files of 16 bits, shown in greys from the least level to the greatest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.engine.executors import frequencies_of_sites
from pointillist.images import ImageSpec, to_picture, to_pictures
from tests.cli.helpers import fails, run

DEEP = ImageSpec.infer((1, 4, 4), 65_536)
SUMS = 1e-6
"""Relative: the same frequencies, as bits in float32 (6e-8 each) or as nats, summed over a picture."""


def test_the_scale_of_a_picture_runs_from_its_least_level_to_its_greatest() -> None:
    """Each picture by itself, to the nearest grey; a flat one is black."""
    levels = np.array([[[[900, 1000, 1100]]], [[[0, 1, 65_535]]], [[[7, 7, 7]]]])
    assert to_pictures(DEEP, levels)[..., 0].tolist() == [[[0, 128, 255]], [[0, 0, 255]], [[0, 0, 0]]]
    assert np.array_equal(to_picture(DEEP, levels[0]), to_pictures(DEEP, levels)[0])
    assert to_pictures(DEEP, levels[:0]).shape == (0, 1, 3, 1)
    assert to_pictures(DEEP, levels).dtype == np.uint8


def test_levels_are_pictures_of_16_bits_and_back() -> None:
    """Arrays and pictures of Pillow, of 8 bits as well; the values are the levels."""
    levels = np.random.default_rng(0).integers(0, 65_536, (2, 1, 4, 4))
    pictures = DEEP.to_images(levels)
    assert (pictures.dtype, pictures.shape) == (np.dtype(np.uint16), (2, 4, 4, 1))
    for form in (pictures, pictures[..., 0], DEEP.to_pil(levels)):
        assert np.array_equal(DEEP.level_array(form), levels)
    assert np.array_equal(DEEP.level_array(pictures[0, ..., 0])[0], levels[0])
    assert DEEP.level_array(np.full((4, 4), 200, np.uint8)).max() == 200
    assert not ImageSpec.infer((3, 4, 4), 65_536).is_displayable
    assert not ImageSpec.infer((1, 4, 4), 65_536, ordered=False).is_displayable


def test_what_is_no_picture_of_16_bits_is_named() -> None:
    """Colour, floats, several sizes, and values beyond the levels."""
    with pytest.raises(pt.DataError, match="mode RGB is not grey of 8 or 16 bits"):
        DEEP.level_array(Image.new("RGB", (4, 4)))
    with pytest.raises(pt.DataError, match="must be uint8 or uint16"):
        DEEP.level_array(np.zeros((4, 4), np.float32))
    with pytest.raises(pt.ShapeError, match="cannot form one batch"):
        DEEP.level_array([Image.new("L", (4, 4)), Image.new("L", (5, 4))])
    with pytest.raises(pt.DataError, match="has the value 1,000, and the 1,000 levels"):
        ImageSpec.infer((1, 2, 2), 1000).level_array(np.full((2, 2), 1000, np.uint16))


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    """A gradient with noise, of 12 bits, that the model was not trained on; small, as reports list every level."""
    y, x = np.mgrid[:9, :10]
    return np.rint(1000 + 20 * x + 10 * y + np.random.default_rng(3).normal(0, 8, (9, 10))).astype(np.uint16)


def test_samples_are_levels_and_pictures_of_16_bits(tmp_path: Path) -> None:
    """Of one image a file with its levels, of several a sheet in 8 bits."""
    samples = pt.sample("grey16", 2, seed=0, size=(8, 10))
    assert samples.array.dtype == np.uint16
    assert np.array_equal(samples.array[..., 0], samples.levels[:, 0])
    assert samples.drawn().dtype == np.uint8
    with Image.open(samples[[0]].save(tmp_path / "one.png")) as picture:
        assert np.array_equal(np.asarray(picture), samples.levels[0, 0])
    with Image.open(samples.save(tmp_path / "both.png")) as picture:
        assert picture.mode == "RGB"


def test_a_scan_is_scored_explained_and_completed(scan: np.ndarray, tmp_path: Path) -> None:
    """From an array, a file and a folder, with the same bits; a completion keeps what is known."""
    path = tmp_path / "scans" / "a.png"
    path.parent.mkdir()
    Image.fromarray(scan).save(path)
    views = pt.explain("grey16", scan)
    assert views.maps.bits == pt.explain("grey16", path).maps.bits
    assert views.maps.bits / scan.size < 10
    distribution = views.distribution(6, 6)
    low, middle, high = (distribution.quantiles[q] for q in (0.05, 0.5, 0.95))
    assert low <= middle <= high < low + 200
    assert abs(middle - int(scan[6, 6])) < 60
    assert pt.evaluate("grey16", scan[None, None].astype(int)).bits_per_dim == pytest.approx(
        views.maps.bits / scan.size, rel=SUMS
    )
    run("evaluate", "grey16", path.parent)
    run("explain", "grey16", path, "--out", tmp_path / "report.html")
    run("inpaint", "grey16", path, "--region", "0:6,0:6", "-n", "2", "--seed", "1", "--out", tmp_path / "c.npz")
    run("inpaint", "grey16", path, "--region", "0:6,0:6", "-n", "2", "--seed", "1", "--out", tmp_path / "c.png")
    assert np.array_equal(np.load(tmp_path / "c.npz")["levels"][:, 0, 6:], np.stack([scan[6:]] * 2))


def test_a_large_scan_is_not_explained_for_hours(tmp_path: Path) -> None:
    """One sentence names the window that is."""
    Image.fromarray(np.zeros((33, 32), np.uint16)).save(tmp_path / "a.png")
    assert "33x32 pixels of 65,536 levels are too many: give a window of it, such as 32x32" in fails(
        "explain", "grey16", tmp_path / "a.png", "--out", tmp_path / "a.html"
    )


def test_a_hole_is_filled_without_tables_of_all_levels(scan: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A move computes the frequencies of all levels of the sub-pixel that it changes, and of no other."""
    sites = []

    def counted(program: Any, params: np.ndarray, *rest: Any) -> np.ndarray:
        sites.append(len(params))
        return frequencies_of_sites(program, params, *rest)

    monkeypatch.setattr("pointillist.model.portable.likelihood.frequencies_of_sites", counted)
    known = np.ones(scan.shape, bool)
    known[3:6, 2:7] = False
    out = pt.inpaint("grey16", scan[None].astype(np.int64), known, 2, seed=0, moves=3)
    assert out.method == "smc"
    assert sites == [2, 2, 2]
    np.testing.assert_array_equal(out.levels[:, 0][:, known], scan[known][None].repeat(2, 0))


def test_the_probability_of_a_level_is_its_entry_in_the_table(scan: np.ndarray) -> None:
    """By the two ends of its interval, and by the frequencies of all levels."""
    scorer = pt.load("grey16").scorer("integer")
    levels = scan[None, None, :2].astype(np.int64)
    distributions = scorer.distributions(levels, None)
    expected = np.take_along_axis(distributions.probs(0), levels, 1)
    np.testing.assert_array_equal(distributions.prob(), expected)
