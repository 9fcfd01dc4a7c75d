"""Conditions, for every network and every combination: labels, attributes, vectors, hints of every kind, positions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.conditioning import TextConfig
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import names

from .conditions import (
    check_absent_values_do_not_matter,
    check_batches,
    check_each_condition_matters,
    check_ends_of_guidance,
    check_gradients_reach,
    check_guidance_is_the_formula,
    check_images_do_not_mix,
    check_negative_prompt,
)
from .strategies import HINTS, TEXTS, make_model, models, randomise_weights, small_hint


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_absent_conditions_do_not_matter(name: str, data: st.DataObject) -> None:
    """Any combination, image kind, odd size: nothing depends on the values of absent conditions."""
    model = data.draw(models(name, max_levels=5)).eval()
    check_absent_values_do_not_matter(model)
    check_images_do_not_mix(model)


def with_every_condition(name: str, hint: object = 2, seed: int = 0, text: TextConfig = TEXTS[1]) -> PixelModel:
    """Build a model with every condition, RGB images of 3x3, and no rectifier that is always off."""
    torch.manual_seed(seed)
    image = ImageSpec.infer((3, 3, 3), 4)
    everything = {"labels": True, "attributes": True, "vector": True, "position": True, "text": text}
    return randomise_weights(make_model(name, image, {"channels": 8}, hint=small_hint(hint, image), **everything), 0.3)  # type: ignore[arg-type]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_every_condition_matters(name: str) -> None:
    """Check that each condition changes each image, among others and alone, and trains every weight of its encoder."""
    for text in TEXTS[1:]:
        check_each_condition_matters(with_every_condition(name, text=text))
        check_gradients_reach(with_every_condition(name, text=text))


@pytest.mark.parametrize("hint", [h for h in HINTS if h != "grey"], ids=str)
def test_every_kind_of_hint_matters(hint: object) -> None:
    """Floats, ordered levels, names, and those made of the image."""
    check_each_condition_matters(with_every_condition("gated-pixelcnn", hint))
    check_gradients_reach(with_every_condition("gated-pixelcnn", hint))


# one scale for every network, the others in the slow tests: the formula does not know the network
GUIDANCE = [pytest.param(0.0, marks=pytest.mark.slow), pytest.param(0.5, marks=pytest.mark.slow), 2.5]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("guidance", GUIDANCE)
@pytest.mark.parametrize("name", names())
def test_a_negative_prompt_is_the_reference_of_guidance(name: str, guidance: float) -> None:
    """With every condition at once: the formula at every sub-pixel, in every engine."""
    check_negative_prompt(with_every_condition(name, text=TEXTS[2]).eval(), guidance)


@pytest.mark.parametrize("guidance", GUIDANCE)
@pytest.mark.parametrize("name", names())
def test_guidance_is_exact(name: str, guidance: float) -> None:
    """With every condition at once: the formula at every sub-pixel, in every engine."""
    check_guidance_is_the_formula(with_every_condition(name, text=TEXTS[2]).eval(), guidance)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", names())
def test_guidance_at_its_ends_and_in_batches(name: str) -> None:
    """With every condition at once: 0 and 1 image by image, and no image knows its batch."""
    model = with_every_condition(name, text=TEXTS[2]).eval()
    check_ends_of_guidance(model)
    check_batches(model)
