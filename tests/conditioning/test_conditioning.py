"""Labels by number and by name, their embedding, and learned positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning import NO_LABEL, HintConfig, LabelEncoder, label_input, label_numbers
from pointillist.errors import ConfigError, ShapeError
from pointillist.model.conditions import PositionEmbedding
from tests.equality import equal

CLASSES = ("cat", "dog", "7")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (None, [-1, -1, -1]),
        (1, [1, 1, 1]),
        ("dog", [1, 1, 1]),
        ("7", [2, 2, 2]),  # a class of that name comes before the number
        ("0", [0, 0, 0]),
        (-1, [-1, -1, -1]),
        ([0, "dog", None], [0, 1, -1]),
        (("cat", 2, -1), [0, 2, -1]),
        (torch.tensor([2, 0, 1]), [2, 0, 1]),
        (torch.tensor(2), [2, 2, 2]),
        (np.array([2, 0, 1]), [2, 0, 1]),
        (np.array(1), [1, 1, 1]),
        (np.int64(1), [1, 1, 1]),
        ([1], [1, 1, 1]),
        (1.0, [1, 1, 1]),
    ],
)
def test_labels_are_resolved(label: Any, expected: list[int]) -> None:
    """One for all or one each."""
    found = label_numbers(label, CLASSES, 3)
    assert found.dtype == np.int64
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "label", [3, -2, "cow", "--1", "", "\u00b2", 1.5, float("nan"), float("inf"), "1.0", [0, 1, 9]]
)
def test_what_is_not_a_class_is_refused(label: Any) -> None:
    """Named, with the choices; never rounded to a class nearby."""
    with pytest.raises(ConfigError, match=r"cat, dog, 7|from 0 to 2"):
        label_numbers(label, CLASSES, 3)


@pytest.mark.parametrize("label", [[], [0, 1], torch.tensor([0, 1, 2, 0])])
def test_as_many_labels_as_images(label: Any) -> None:
    """One, or one each."""
    with pytest.raises(ShapeError, match="do not fit 3 images"):
        label_numbers(label, CLASSES, 3)


def test_a_model_without_classes_takes_none() -> None:
    """None is not a label; anything else is refused."""
    assert label_numbers(None, (), 2).tolist() == [NO_LABEL, NO_LABEL]
    with pytest.raises(ConfigError, match="trained without labels"):
        label_numbers(0, (), 2)


def test_one_label_for_all_can_be_written_to() -> None:
    """The array is not an expanded view."""
    found = label_numbers(1, CLASSES, 3)
    found[0] = 0
    assert found.tolist() == [0, 1, 1]


def test_no_label_has_a_vector_of_its_own() -> None:
    """Index `classes`; labels have theirs."""
    listener = LabelEncoder(("a", "b", "c"), 5)
    found = listener.encode(label_input(np.array([0, NO_LABEL, 2])))
    assert found.shape == (3, 5, 1, 1)
    assert equal(found[:, :, 0, 0], listener.embedding.weight[[0, 3, 2]])


def test_positions_are_the_same_for_every_image() -> None:
    """One learned vector a site."""
    positions = PositionEmbedding(2, 3, 4)
    found = positions(5)
    assert found.shape == (5, 2, 3, 4)
    assert equal(found[0], found[4])


@pytest.mark.parametrize("layers", [0, 1, 6])
def test_the_map_of_an_image_is_bounded(layers: int) -> None:
    """Its mean square over the features is 1 for any weights of the encoder."""
    torch.manual_seed(0)
    model = pt.build("gated-pixelcnn", shape=(3, 8, 8), hint=HintConfig(channels=1, layers=layers))
    encoder = model.conditions.encoders["hint"]
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.copy_(torch.randn_like(weight) * 10)
        found = encoder.encode(encoder.reader.read(torch.rand(1, 8, 8), 2, (8, 8)))
    torch.testing.assert_close(found.square().mean(1), torch.ones(2, 8, 8))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": "cats"}, "must be a list of texts"),
        ({"classes": np.array("x")}, "must be a list of texts"),
        ({"classes": 10**30}, "1 to 1,048,576"),
        ({"attributes": "hair"}, "must name the values of each attribute"),
        ({"attributes": {"hair": object()}}, "must be a list of texts"),
    ],
)
def test_names_of_a_wrong_kind_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(pt.ConfigError, match=words):
        pt.build("pixelcnn", shape=(1, 4, 4), levels=4, **settings)
