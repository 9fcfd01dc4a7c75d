"""Options are checked before any file is opened; codes of up to 65,535 levels pass through all of the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.data import DataOptions, load_data, parse_size
from pointillist.errors import ConfigError
from tests.cli.helpers import run
from tests.equality import assert_close, equal
from tests.tolerances import network_rounding


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


LEVELS = 65_535


@pytest.fixture(scope="module", name="folder")
def folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of codes, trained for two steps."""
    folder = tmp_path_factory.mktemp("codes")
    codes = np.random.default_rng(0).integers(0, LEVELS, (24, 3, 5)).astype(np.uint16)
    codes[0, 0, 0] = LEVELS - 1
    np.savez(folder / "codes.npz", x=codes)
    options = {"mode": "codes", "source": str(folder / "codes.npz")}
    model = {"type": "pixelcnn", "preset": "tiny", "network": {"channels": 8, "layers": 2, "head_channels": 8}}
    train = {"steps": 2, "batch_size": 4, "out": str(folder / "run")}
    pt.train_from_config({"model": model, "data": options, "train": train})
    return folder


def test_the_likelihood_has_two_factors(folder: Path) -> None:
    model = pt.load(folder / "run")
    assert model.image.levels == LEVELS
    assert model.likelihood.name == "factored"
    assert model.num_parameters() < 1_300_000  # most of them embed the levels
    x = load_data(folder / "codes.npz", spec=model.image).get("train").batch([0, 1]).levels
    nats = model.log_prob_map(x)
    whole = model.log_prob(x)
    assert_close(nats.flatten(1).sum(1), whole, rtol=0, atol=network_rounding(model, whole))


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_engines_draw_the_same_codes(folder: Path, temperature: float) -> None:
    model = pt.load(folder / "run")
    found = {e: pt.sample(model, 2, seed=3, engine=e, temperature=temperature) for e in ("torch", "numpy", "naive")}
    for samples in found.values():
        assert equal(samples.levels, found["naive"].levels)
        nats = model.log_prob(samples.levels).double()
        assert_close(samples.nats, nats, rtol=0, atol=network_rounding(model, nats))


def test_codes_pass_from_command_to_command(folder: Path, tmp_path: Path) -> None:
    """`sample` writes an archive of 16-bit codes, `evaluate` and `explain` read it, `info` names the levels."""
    model, out = str(folder / "run"), tmp_path / "out.npz"
    sampled = json.loads(run("sample", model, "-n", "3", "--seed", "0", "--out", str(out), "--json").stdout)
    with np.load(out) as archive:
        assert archive["levels"].dtype == np.uint16
    evaluated = json.loads(run("evaluate", model, str(out), "--json").stdout)
    within = network_rounding(pt.load(model), sampled["bits_per_dim"])
    assert evaluated["bits_per_dim"] == pytest.approx(sampled["bits_per_dim"], abs=within)
    explained = run("explain", model, str(out), "--index", "0", "--out", str(tmp_path / "a.html"), "--json").stdout
    assert json.loads(explained)["bits_per_dim"] > 1
    assert "65,535 unordered levels" in run("info", model).stdout
