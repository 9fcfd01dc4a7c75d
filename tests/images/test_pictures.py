"""Pictures in numpy are pictures wherever a model takes images."""

import numpy as np
import pytest
from PIL import Image

import pointillist as pt


@pytest.fixture(scope="module")
def samples() -> pt.Samples:
    return pt.sample("digits", 3, seed=2)


def test_functions_of_one_image_take_it(samples: pt.Samples) -> None:
    """The levels of an array `h w`, `h w 1`, or of colour, are those of the picture."""
    model, picture = pt.load("digits"), samples.array[0, ..., 0]
    known = np.zeros((28, 28), bool)
    known[:20] = True
    expected = pt.inpaint(model, samples.levels[0], known, n=1, seed=0).levels
    for image in (picture, np.repeat(picture[..., None], 3, -1), samples.images[0]):
        assert np.array_equal(pt.inpaint(model, image, known, n=1, seed=0).levels, expected)
    assert pt.explain(model, picture).maps.bits == pt.explain(model, samples.levels[0]).maps.bits


def test_functions_of_several_images_take_them(samples: pt.Samples) -> None:
    """Arrays `n h w`, `n h w 1` and `n h w 3`, for both kinds of model."""
    grey = samples.array[..., 0]
    expected = pt.evaluate("digits", samples.levels).bits_per_dim
    forms = (grey, samples.array, np.repeat(samples.array, 3, -1), samples.images)
    for form in forms:
        assert pt.evaluate("digits", form).bits_per_dim == expected
    model = pt.load("digits")
    for form in forms:
        assert np.array_equal(model.log_prob(form).detach(), model.log_prob(samples.levels).detach())
    archive = pt.compress("digits", samples.levels)
    assert pt.compress("digits", grey) == pt.compress("digits", samples.images) == archive
    with pytest.raises(pt.errors.DataError, match="does not hold exactly"):
        pt.compress("digits", np.full((28, 28), 3, np.uint8))


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
