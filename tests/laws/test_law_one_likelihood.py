"""One likelihood, for every network, condition and bundled model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.compression.models import image_of
from pointillist.conditioning import TextConfig
from pointillist.images import ImageSpec
from pointillist.model.folder.opening import load_weights
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import names
from pointillist.zoo import list_pretrained
from tests.portable.networks import CASES, integer_case

from .one_likelihood import SINGLE, check_data_set, check_one_integer_likelihood, check_one_likelihood
from .strategies import HINTS, TEXTS, make_model, models, random_conditions, randomise_weights, small_hint
from .text_encoder import random_text_encoder

pytestmark = pytest.mark.proof

ALONE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "label": {"labels": True},
    "attributes": {"attributes": True},
    "vector": {"vector": True},
    "position": {"position": True},
    "hint": {"hint": small_hint(2, ImageSpec.infer((3, 3, 3), 4))},
    "text": {"text": TEXTS[0]},
    "text and label": {"text": TEXTS[1], "labels": True, "position": True},
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", names())
@settings(max_examples=8)
@given(data=st.data())
def test_every_function_reports_one_likelihood(name: str, data: st.DataObject) -> None:
    """Check any combination of conditions, kind of image, likelihood, orders and weights."""
    model = data.draw(models(name, max_levels=5)).eval()
    with random_text_encoder(model.config.condition(TextConfig)):
        conditions = random_conditions(model, 2, sure=data.draw(st.booleans()), encoder=True)
        check_one_likelihood(model, conditions)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("condition", list(ALONE))
@pytest.mark.parametrize("name", names())
def test_every_condition_alone(name: str, condition: str) -> None:
    """Check each condition by itself, given and left out."""
    model = small(name, **ALONE[condition])
    with random_text_encoder(model.config.condition(TextConfig)):
        check_one_likelihood(model, random_conditions(model, 2, sure=True, encoder=True))
        check_one_likelihood(model, {})


@pytest.mark.parametrize("hint", [hint for hint in HINTS if hint != "grey"], ids=str)
def test_every_kind_of_hint(hint: object) -> None:
    """Check floats, ordered levels, names, and hints made of the image, among all other conditions."""
    model = small("gated-pixelcnn", **everything(hint=hint))
    check_one_likelihood(model, random_conditions(model, 2, sure=True))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("text", TEXTS, ids=["learned", "encoder and learned", "learned tokens", "encoder tokens"])
@pytest.mark.parametrize("name", ["gated-pixelcnn", "pixelsnail"])
def test_every_kind_of_text(name: str, text: Any) -> None:
    """Check each text encoder among all other conditions, in two orders, by hand and from a data set."""
    model = small(name, **everything(text=text), orders=("raster", "raster-tr"))
    with random_text_encoder(text):
        check_one_likelihood(model, random_conditions(model, 2, sure=True, encoder=True))
        check_data_set(small(name, text=text, labels=True))


BUNDLED = pytest.mark.parametrize(
    "bundled", [model.name for model in list_pretrained() if image_of(model.folder).levels <= 256]
)
"""Views compute every level of every pixel: `test_every_integer_program_to_the_bit` has 65,536 on small images."""


@pytest.mark.one_in(4)
@BUNDLED
def test_every_bundled_model(bundled: str) -> None:
    """Check the models of the package in float32, without conditions and with all of them."""
    model = load_weights(bundled).eval()
    with random_text_encoder(model.config.condition(TextConfig)):
        check_one_likelihood(model, {}, count=1, rtol=SINGLE)
        check_one_likelihood(model, random_conditions(model, 1, sure=True, encoder=True), count=1, rtol=SINGLE)


@BUNDLED
def test_every_bundled_model_to_the_bit(bundled: str) -> None:
    """Check the integer programs of the package, which are the default, without conditions and with all of them."""
    model = load_weights(bundled).eval()
    with random_text_encoder(model.config.condition(TextConfig)):
        check_one_integer_likelihood(model, {}, count=2)
        check_one_integer_likelihood(model, random_conditions(model, 1, sure=True, encoder=True), count=1)


@pytest.mark.parametrize("name", CASES)
def test_every_integer_program_to_the_bit(name: str) -> None:
    """Check each network, likelihood and kind of image that has an integer program, in each of its orders."""
    model, _, _ = integer_case(name)
    count = 3 if model.image.levels < 1000 else 1  # views compute every level
    check_one_integer_likelihood(model, {}, count=count)
    if model.config.classes:
        check_one_integer_likelihood(model, {"label": ["cat", "dog", None][:count]}, count=count)


@pytest.mark.slow
@BUNDLED
def test_every_bundled_model_with_each_condition_alone(bundled: str) -> None:
    """Check a prompt, a label and a hint by themselves, for two images."""
    model = load_weights(bundled).eval()
    with random_text_encoder(model.config.condition(TextConfig)):
        for name, value in random_conditions(model, 2, sure=True, encoder=True).items():
            check_one_likelihood(model, {name: value}, count=2, rtol=SINGLE)


def small(name: str, **how: Any) -> PixelModel:
    """Build a model of RGB images of 3x3 with 4 levels and random weights."""
    torch.manual_seed(0)
    return randomise_weights(make_model(name, ImageSpec.infer((3, 3, 3), 4), {"layers": 2}, **how), 0.3)


def everything(hint: Any = 2, text: Any = TEXTS[0]) -> dict[str, Any]:
    """Every condition at once, as keywords of `make_model`."""
    spec = small_hint(hint, ImageSpec.infer((3, 3, 3), 4))
    return {"labels": True, "attributes": True, "vector": True, "position": True, "hint": spec, "text": text}
