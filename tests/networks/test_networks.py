"""The registry of networks and their settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.networks import BackboneDims, config_from_dict, entry, names
from tests.laws.strategies import make_model


@pytest.mark.parametrize("name", names())
def test_a_network_without_layers_is_a_window_or_refused(name: str) -> None:
    """PixelCNN without residual blocks is 1x1 layers over the window of its first, as `photos`; others need one."""
    if "layers" not in entry(name).backbone.Config.model_fields:
        return
    settings: dict[str, Any] = {"shape": (1, 9, 9), "levels": 4, "channels": 4, "layers": 0}
    if name != "pixelcnn":
        with pytest.raises(ConfigError, match=r"`layers` \(=0\) is not valid .* greater than or equal to 1"):
            pt.build(name, **settings)
        return
    field = pt.receptive_field(pt.build(name, first_kernel=5, **settings), 4, 4).depends[0]
    window = np.zeros((9, 9), bool)
    window[2:4, 2:7] = window[4, 2:4] = True
    np.testing.assert_array_equal(field, window)
    assert pt.load("photos").config.backbone.layers == 0  # type: ignore[attr-defined]


def having(*fields: str) -> list[tuple[str, str]]:
    """Each network with each of these settings that it has."""
    return [(n, f) for n in names() for f in fields if f in entry(n).backbone.Config.model_fields]


@pytest.mark.parametrize("name", names())
def test_every_preset_builds(name: str) -> None:
    """Presets are valid, grow from tiny to base, and can be overridden."""
    sizes = []
    for preset in entry(name).preset_names:
        config = config_from_dict(name, {}, preset)
        with torch.device("meta"):
            backbone = entry(name).backbone(config, BackboneDims(groups=3, canvas=3, params=768))
        sizes.append(sum(p.numel() for p in backbone.parameters()))
        assert config_from_dict(name, {"dropout": 0.25}, preset).model_dump()["dropout"] == 0.25
    assert sizes[:3] == sorted(sizes[:3])
    assert entry(name).preset_names[:3] == ["tiny", "small", "base"]
    assert entry(name).name == name
    assert entry(name).summary


@pytest.mark.parametrize("name", names())
def test_settings_are_frozen_and_keyword_only(name: str) -> None:
    """A record, not a dictionary."""
    config = entry(name).backbone.Config()
    with pytest.raises(ValidationError):
        config.channels = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        entry(name).backbone.Config(3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"chanels": 3}, "`chanels` is not a setting of"),
        ({"channels": 0}, "`channels`"),
        ({"channels": 10**9}, "`channels`"),
        ({"channels": "many"}, "`channels`"),
        ({"layers": -1}, "`layers`"),
        ({"first_kernel": 1}, "`first_kernel`"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"dropout": float("nan")}, "`dropout`"),
    ],
)
@pytest.mark.parametrize("name", names())
def test_a_wrong_setting_is_named(name: str, settings: dict[str, Any], words: str) -> None:
    """One sentence with the name and the rule."""
    with pytest.raises(ConfigError, match=words) as error:
        config_from_dict(name, settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dilations", [(), (0,), (1, -1), ("two",)])
def test_dilations_must_be_positive(dilations: tuple[Any, ...]) -> None:
    """A step of zero or backwards is rejected when the settings are read."""
    with pytest.raises(ConfigError, match="dilations"):
        config_from_dict("gated-pixelcnn", {"dilations": dilations})


@pytest.mark.parametrize(("name", "field"), having("channels", "head_channels"))
def test_fewer_features_than_sub_pixels_are_rejected(name: str, field: str) -> None:
    """RGB needs a feature for each of R, G and B in every layer, or blue would not read green."""
    with pytest.raises(ConfigError, match="cannot carry 3 sub-pixels"):
        make_model(name, ImageSpec.infer((3, 2, 2), 4), {field: 1})
    make_model(name, ImageSpec.infer((1, 2, 2), 4), {field: 1})


def test_unknown_names() -> None:
    """The error lists what there is."""
    with pytest.raises(ConfigError, match=f"no model 'pixelrnn'.*{names()[0]}"):
        entry("pixelrnn")
    with pytest.raises(ConfigError, match=r"has no preset 'huge'.*tiny"):
        config_from_dict(names()[0], {}, "huge")
