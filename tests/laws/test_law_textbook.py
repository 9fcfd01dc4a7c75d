"""Each network is the one of its paper, and probabilities are transformed as defined."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import names

from .evaluation_law import check_evaluation, check_known_entropy
from .sampling_transforms_law import check_guidance, check_inverse_cdf, check_temperature, check_top_p
from .strategies import make_model, models, randomise_weights
from .textbook import TEXTBOOK, check_parameter_count, check_textbook


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", list(TEXTBOOK))
@given(data=st.data())
def test_network_is_the_one_of_its_paper(name: str, data: st.DataObject) -> None:
    """For random settings, kinds of image and conditions."""
    model = data.draw(models(name, max_levels=5, tokens=False)).eval()
    check_textbook(model, model.image.height, model.image.width)
    check_parameter_count(model)


@pytest.mark.parametrize("check", [check_guidance, check_inverse_cdf, check_temperature, check_top_p])
def test_probabilities_are_transformed_as_defined(check: Callable[[], None]) -> None:
    """Run each check."""
    check()


@given(model=models(max_levels=17))
def test_every_image_is_counted_once(model: PixelModel) -> None:
    """For any model: independent of the batch size, equal to one image at a time; the mode of the model is kept."""
    mode = model.training
    check_evaluation(randomise_weights(model, 0.3))
    assert model.training == mode


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("name", names())
def test_known_entropy(name: str, levels: int) -> None:
    """A source of known entropy gives exactly its bits."""
    for channels, ordered in ((1, True), (3, True), (2, False)):
        image = ImageSpec(channels=channels, height=3, width=2, levels=levels, ordered=ordered)
        check_known_entropy(make_model(name, image, labels=True, likelihood="categorical" if levels > 2 else "auto"))
