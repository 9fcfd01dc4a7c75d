"""Options are checked before any file is opened, and every complaint names the value and the remedy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointillist.data import DataOptions, parse_size
from pointillist.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"), [("32", (32, 32)), ("48x64", (48, 64)), (" 1 x 7 ", (1, 7)), ("3×5", (3, 5))]
)
def test_sizes_are_height_by_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_every_size_is_read_back(height: int, width: int) -> None:
    assert parse_size(f"{height}x{width}") == (height, width)


@pytest.mark.parametrize("text", ["", "0", "x", "32x", "-3", "3x0", "big", "3x4x5", "1.5"])
def test_no_size_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"HEIGHTxWIDTH") as error:
        parse_size(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 3)}, r"`size` \(=\(0, 3\)\).*48x64"),
        ({"levels": 1}, r"`levels` \(=1\) must lie in 2"),
        ({"mode": "rgb", "levels": 300}, r"`levels` \(=300\) must lie in 2 to 256"),
        ({"palette": 1}, r"`palette` \(=1\).*file"),
        ({"palette": 16, "mode": "rgb"}, r"`palette` \(=16\).*drop one"),
        ({"threshold": 0}, r"`threshold` \(=0\)"),
        ({"valid_fraction": 1.0}, r"`valid_fraction` \(=1.0\)"),
        ({"valid_fraction": 0.5, "test_fraction": 0.5}, r"\(=1\).*leave images"),
        ({"seed": -1}, r"`seed` \(=-1\)"),
        ({"binarise": "static", "mode": "palette"}, r"`binarise` \(='static'\)"),
        ({"binarise": "dynamic", "levels": 4}, r"`levels` \(=4\) must be 2"),
        ({"resize_mode": "squeeze"}, r"`resize_mode` \(='squeeze'\)"),
        ({"colour": 3}, r"`colour` is not an option.*palette"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        DataOptions(**options)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=message):
        DataOptions().changed(**options)


def test_a_copy_is_checked_and_the_original_kept() -> None:
    options = DataOptions()
    assert options.changed(levels=17).levels == 17
    assert options.levels is None
    assert DataOptions(**options.model_dump()) == options
