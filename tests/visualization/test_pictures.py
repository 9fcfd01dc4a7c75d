"""Sheets, animations and heat maps: every pixel where it belongs, in its own colour."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointillist.errors import ConfigError, ShapeError
from pointillist.images.visualization import (
    animate,
    heat_map,
    image_grid,
    named_grid,
    png_bytes,
    save_png,
    sequential_colors,
)
from pointillist.images.visualization.image_grid import MAX_IMAGES, MAX_PIXELS, plan_grid
from pointillist.images.visualization.pixels import NO_VALUE, PAPER

SHAPES = [(1, 8, 8, 1), (7, 5, 9, 3), (3, 1, 60, 1), (2, 300, 1, 3), (4, 16, 12, 4), (90, 8, 8, 1), (2, 700, 900, 3)]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pixel_of_a_sheet_is_a_square_of_its_own_colour(shape: tuple[int, ...]) -> None:
    images = noise(*shape)
    if shape[-1] == 4:
        images[..., 3] = 255
    grid = plan_grid(len(images), *shape[1:3])
    picture = np.asarray(image_grid(images))
    assert picture.shape == (grid.size[1], grid.size[0], 3)
    for index in range(len(images)):
        left, top = grid.corner(index)
        tile = picture[top : top + grid.height, left : left + grid.width]
        for offset in (0, grid.scale - 1):
            shown = tile[offset :: grid.scale, offset :: grid.scale]
            assert (shown == images[index][..., :3]).all()


def test_a_sheet_keeps_to_what_is_asked() -> None:
    images = noise(6, 4, 4, 1)
    assert image_grid(images, columns=6, scale=3).size == plan_grid(6, 4, 4, columns=6, scale=3).size
    assert image_grid(images, columns=100).size == image_grid(images, columns=6).size
    assert image_grid(images[..., 0]).size == image_grid(images).size
    assert image_grid(noise(2, 4, 4, 2)).mode == "RGB"


def test_names_stand_beside_their_rows_and_columns() -> None:
    """Every image is where it is on a plain grid; a long name is cut, and an uneven number of images is an error."""
    images = noise(12, 8, 8, 3)
    grid = plan_grid(12, 8, 8, columns=4)
    picture = np.asarray(named_grid(images, ["a", "b", "c" * 200], ["x", "y"], columns=4))
    left, top = picture.shape[1] - grid.size[0], picture.shape[0] - grid.size[1]
    assert 0 < left <= 220
    assert (picture[top:, left:] == np.asarray(image_grid(images, columns=4))).all()
    for beside in (picture[top : top + grid.height, :left], picture[:top, left:]):
        assert (beside != PAPER).any()
    with pytest.raises(ShapeError, match="12 images in 4 columns do not fit 2 names"):
        named_grid(images, ["a", "b"], ["x"], columns=4)


def test_transparent_parts_show_a_checkerboard() -> None:
    picture = np.asarray(image_grid(np.zeros((1, 4, 4, 4), np.uint8), scale=12, background=(1, 2, 3)))
    inside = picture[(picture != (1, 2, 3)).any(-1)]
    assert {tuple(c) for c in inside.tolist()} == {(255, 255, 255), (212, 212, 212)}


def test_thousands_of_images_are_laid_out_within_the_limits() -> None:
    grid = plan_grid(50_000, 8, 8)
    assert grid.count == MAX_IMAGES
    assert grid.footer > 0
    huge = plan_grid(40, 2000, 3000)
    assert huge.size[0] * huge.size[1] <= MAX_PIXELS
    assert huge.scale == 1
    assert image_grid(np.zeros((1500, 2, 2, 1), np.uint8)).height == plan_grid(1500, 2, 2).size[1]


def test_captions_are_drawn_below_and_cut_where_they_are_long() -> None:
    images = np.zeros((2, 8, 8, 1), np.uint8)
    plain, named = image_grid(images, columns=2), image_grid(images, columns=2, captions=["zero", "x" * 300])
    assert named.height > plain.height
    assert named.width < 500
    with pytest.raises(ShapeError, match="1 captions for 2 images"):
        image_grid(images, captions=["one"])


@pytest.mark.parametrize("bad", [np.zeros((0, 8, 8, 1), np.uint8), np.zeros((1, 8, 8, 1)), np.zeros(4, np.uint8)])
def test_what_is_no_picture_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="must be uint8"):
        image_grid(bad)


def test_png_is_the_picture_and_is_replaced_whole(tmp_path: Path) -> None:
    picture = image_grid(noise(3, 5, 5, 3))
    path = save_png(picture, tmp_path / "a" / "b.png")
    assert path.read_bytes() == png_bytes(picture)
    with Image.open(io.BytesIO(png_bytes(picture))) as again:
        assert (np.asarray(again) == np.asarray(picture)).all()
    assert [p.name for p in path.parent.iterdir()] == ["b.png"]


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as gif:
        out = []
        for index in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(index)
            out.append(np.asarray(gif.convert("RGB")))
        return out


def test_an_animation_paints_one_pixel_a_frame_and_ends_with_the_sheet(tmp_path: Path) -> None:
    images = noise(5, 4, 6, 1) // 16 * 16
    path = animate(images, tmp_path / "a.gif", scale=8)
    frames, grid = frames_of(path), plan_grid(5, 4, 6, scale=8)
    assert len(frames) == 4 * 6 + 1
    assert (frames[-1] == np.asarray(image_grid(images, scale=8))).all()
    corners = np.array(
        [[frames[k][grid.corner(2)[1] + 3, grid.corner(2)[0] + 3 + 8 * x] for x in range(3)] for k in (0, 2, 5)]
    )
    finished = frames[-1][grid.corner(2)[1] + 3, grid.corner(2)[0] + 3 : grid.corner(2)[0] + 24 : 8]
    assert (corners[0] != finished).any(-1).all()
    assert (corners[1][:2] == finished[:2]).all()
    assert (corners[1][2] != finished[2]).any()
    assert (corners[2] == finished).all()
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        gif.seek(24)
        assert gif.info["duration"] == 2500


def test_an_animation_of_colours_and_many_pixels_stays_small(tmp_path: Path) -> None:
    path = animate(noise(4, 64, 48, 3), tmp_path / "a.gif", frames=40, captions=list("abcd"))
    assert len(frames_of(path)) == 40
    assert path.stat().st_size < 400_000


def test_an_animation_follows_an_order(tmp_path: Path) -> None:
    images = np.full((1, 2, 2, 1), 200, np.uint8)
    frames = frames_of(animate(images, tmp_path / "a.gif", order=np.array([[3, 2], [1, 0]]), scale=10))
    left, top = plan_grid(1, 2, 2, scale=10).corner(0)
    assert frames[1][top + 15, left + 15].tolist() == [200, 200, 200]
    assert frames[1][top + 3, left + 3].tolist() != [200, 200, 200]
    with pytest.raises(ShapeError, match="must hold each of 0 to 3 once"):
        animate(images, tmp_path / "b.gif", order=np.zeros((2, 2), int))
    with pytest.raises(ConfigError, match="must be 'raster'"):
        animate(images, tmp_path / "b.gif", order="spiral")
    with pytest.raises(ConfigError, match="`frames`"):
        animate(images, tmp_path / "b.gif", frames=1)
    assert not (tmp_path / "b.gif").exists()


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 9, 4), (1, 9, 1, 3)])
def test_an_animation_of_any_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert len(frames_of(animate(noise(*shape), tmp_path / "a.gif"))) == shape[1] * shape[2] + 1


def lightness(colour: np.ndarray) -> float:
    """CIE L* of an sRGB colour."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    y = float(linear @ (0.2126, 0.7152, 0.0722))
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_heat_climbs_in_even_steps_of_lightness() -> None:
    ramp = sequential_colors(np.linspace(0, 4, 65), 4.0) / 255
    steps = np.diff([lightness(c) for c in ramp])
    assert (steps > 0).all()
    assert steps.max() < 3 * steps.mean()
    assert (sequential_colors(np.array([-1.0, 0.0]), 4.0) == sequential_colors(np.array([0.0, 0.0]), 4.0)).all()
    assert (
        sequential_colors(np.array([4.0, 99.0, np.inf]), 4.0)[0] == sequential_colors(np.array([4.0, 99.0]), 4.0)[1]
    ).all()
    assert tuple(sequential_colors(np.array(np.nan), 4.0).tolist()) == NO_VALUE


def test_a_heat_map_has_a_scale_that_does_not_depend_on_the_values() -> None:
    low, high = np.zeros((2, 8, 8)), np.full((2, 8, 8), 3.9)
    a, b = (np.asarray(heat_map(v, top=4, columns=2)) for v in (low, high))
    grid = plan_grid(2, 8, 8, columns=2)
    assert (a[grid.size[1] :] == b[grid.size[1] :]).all()
    bar = a[grid.size[1] + 8]
    inside = bar[(bar != PAPER).any(-1)]
    assert (inside == sequential_colors(np.linspace(0, 4, len(inside)), 4.0)).all()
    over = np.asarray(heat_map(high + 1, top=4, columns=2))
    assert (over[grid.size[1] :] != b[grid.size[1] :]).any()  # the label says "or more"
    for bad in (0.0, float("nan")):
        with pytest.raises(ConfigError, match="`top`"):
            heat_map(low, top=bad)
    with pytest.raises(ShapeError, match="must be"):
        heat_map(np.zeros((8, 8)), top=4)
