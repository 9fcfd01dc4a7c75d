"""The model: what goes into the network, what its settings may be, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.model.config import ModelConfig
from tests.equality import equal
from tests.tolerances import network_rounding


def config(**changes: Any) -> dict[str, Any]:
    """The settings of a small model as a dictionary."""
    model = pt.build("pixelcnn", shape=(1, 2, 3), levels=4, channels=3, layers=1, classes=2)
    return {**model.config.model_dump(mode="json"), **changes}


def test_settings_survive_a_dictionary() -> None:
    """As in `config.json`."""
    assert ModelConfig.from_dict(config()).model_dump(mode="json") == config()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "pixelrnn"}, "no model 'pixelrnn'"),
        ({"extra": 1}, "`extra` is not a model setting"),
        ({"likelihood": "gaussian"}, "`likelihood`"),
        ({"likelihood": "bernoulli"}, r"`levels` \(=4\) must be 2"),
        ({"order_channels": -1}, "`order_channels`"),
        ({"position_channels": 10**6}, "`position_channels`"),
        ({"image": {"channels": 1, "height": 10**9, "width": 1}}, "at most 65,536 pixels a side"),
        ({"image": {"channels": 10**6, "height": 1, "width": 1, "levels": 256}}, "over the limit"),
        ({"image": {"channels": 1, "height": 0, "width": 1}}, "positive"),
        ({"image": {"channels": 1, "height": 1, "width": 1, "levels": 1}}, "`levels`"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], words: str) -> None:
    """One short sentence; our own rules are not wrapped in another library's words."""
    with pytest.raises(pt.ConfigError, match=words) as error:
        ModelConfig.from_dict(config(**changes))
    assert "\n" not in str(error.value)
    assert "value error" not in str(error.value).lower()
    assert len(str(error.value)) < 400


def test_ordered_levels_enter_as_numbers() -> None:
    """Evenly from -1 to 1."""
    model = pt.build("pixelcnn", shape=(2, 1, 3), levels=5, channels=4, layers=1)
    canvas = model.canvas(torch.tensor([[[[0, 2, 4]], [[1, 3, 4]]]]))
    assert canvas.tolist() == [[[[-1, 0, 1]], [[-0.5, 0.5, 1]]]]


def test_unordered_levels_enter_as_vectors_sub_pixel_by_sub_pixel() -> None:
    """Channel c's vector lies in the c-th block of canvas channels, whole."""
    model = pt.build("pixelcnn", shape=(2, 1, 2), levels=5, ordered=False, level_channels=3, channels=4, layers=1)
    x = torch.tensor([[[[0, 1]], [[4, 2]]]])
    canvas = model.canvas(x)
    assert model.embedding is not None
    assert canvas.shape == (1, 6, 1, 2)
    for channel, column in np.ndindex(2, 2):
        block = canvas[0, 3 * channel : 3 * channel + 3, 0, column]
        assert equal(block, model.embedding.weight[x[0, channel, 0, column]])


def test_log_prob_and_its_map() -> None:
    """The map sums to the likelihood; `forward` is the same without checks; labels matter."""
    model = pt.build("gated-pixelcnn", shape=(3, 2, 2), levels=4, channels=4, layers=1, classes=["a", "b"])
    x = torch.randint(0, 4, (3, 3, 2, 2), dtype=torch.uint8)
    found = model.log_prob(x, "b")
    within = network_rounding(model, found)
    torch.testing.assert_close(model.log_prob_map(x, "b").flatten(1).sum(1), found, rtol=0, atol=within)
    torch.testing.assert_close(model(x.long(), model.conditions.inputs("b", 3)), found, rtol=0, atol=within)
    torch.testing.assert_close(model(x.long()), model.log_prob(x), rtol=0, atol=within)
    assert not equal(found, model.log_prob(x, "a"))
    assert model.log_prob(x[:0]).shape == (0,)


def test_what_it_cannot_take_is_refused() -> None:
    """Text, labels, sizes."""
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=4, channels=3, layers=1)
    x = torch.zeros(1, 1, 2, 2, dtype=torch.int64)
    with pytest.raises(pt.ConfigError, match="trained without text"):
        model.log_prob(x, text="a cat")  # type: ignore[arg-type]
    with pytest.raises(pt.ConfigError, match="trained without labels"):
        model.log_prob(x, label=0)
    assert model.log_prob(x.repeat(1, 1, 3, 1)).shape == (1,)


def test_vmap_is_named() -> None:
    """A model takes the batch itself: within `torch.vmap`, in which it saw one image or a batch of them."""
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, channels=4, layers=1)
    x = torch.randint(0, 4, (3, 1, 4, 4))
    with pytest.raises(pt.ShapeError, match=r"Levels of shape \(1, 4, 4\) must be \(n, 1, h, w\)"):
        torch.vmap(model)(x)
    for call in (model, model.log_prob, model.log_prob_map):
        with pytest.raises(pt.ConfigError, match=r"`torch\.vmap` hides values, which a model checks: .*batch"):
            torch.vmap(call)(x[:, None])


def test_pictures_become_levels_and_back() -> None:
    """Through the model's own description of its images."""
    model = pt.build("pixelcnn", shape=(3, 2, 2), levels=17, channels=3, layers=1)
    levels = torch.randint(0, 17, (2, 3, 2, 2))
    assert equal(model.to_levels(model.to_images(levels)), levels)
