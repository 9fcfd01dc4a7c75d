"""A local gain: its equations, its place in a model, and the same integers from every executor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.engine.executors import intervals_of_images, params_of_images
from pointillist.errors import ConfigError
from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS
from pointillist.model.config import LOCAL_GAIN_LEVELS, LOCAL_GAIN_ROWS
from pointillist.model.portable.files import load_integer_model, save_integer_model
from pointillist.networks import entry, names

from .local_gain import check_local_gain, check_placed
from .strategies import SIZES

TAKERS = [name for name in names() if entry(name).backbone.takes_local_gain]


@given(
    size=st.sampled_from(SIZES), channels=st.integers(1, 4), levels=st.sampled_from([2, 5, 64, 128, 256, 1000, 65_536]),
    seed=st.integers(0, 2**20), constant=st.booleans(),
)  # fmt: skip
def test_local_gain_is_that_of_its_equations(
    size: tuple[int, int], channels: int, levels: int, seed: int, constant: bool
) -> None:
    """For images of any size, and for those of one colour."""
    torch.manual_seed(seed)
    x = torch.randint(0, levels, (2, channels, *size))
    x = x[:, :, :1, :1].expand_as(x) if constant else x
    check_local_gain(x, levels)
    mixtures = 2
    params = torch.randn(2, mixtures * (1 + 2 * channels + channels * (channels - 1) // 2), *size).double()
    check_placed(params, x, levels, mixtures)


def photograph(levels: int = 256, channels: int = 3) -> torch.Tensor:
    """Return two smooth images with an edge, and noise."""
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 7), torch.linspace(0, 1, 6), indexing="ij")
    smooth = (rows * columns + (columns > 0.5) * 0.3) * (levels - 1) * 0.7
    noisy = smooth + torch.randn(2, channels, 7, 6) * levels / 100
    return noisy.round().clamp(0, levels - 1).long()


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize(("levels", "channels"), [(256, 3), (64, 1), (256, 4)])
def test_every_executor_has_the_same_integers(name: str, levels: int, channels: int) -> None:
    """Parameters and frequencies, in numpy, in torch and in what is chosen by default; near those of the floats."""
    torch.manual_seed(0)
    settings = {"preset": "tiny", "likelihood": "mixture", "mixtures": 2, "local_gain": True}
    model = pt.build(name, shape=(channels, 7, 6), levels=levels, **settings)
    assert model.config.local_gain
    x = photograph(levels, channels)
    program, levels_array = pt.quantize_integer(model, x).programs[0], x.numpy()
    expected = params_of_images(program, levels_array, {}, "numpy")
    spans = intervals_of_images(program, levels_array, {}, "numpy")
    for executor in ("auto", "torch"):
        assert np.array_equal(params_of_images(program, levels_array, {}, executor), expected), executor
        assert np.array_equal(intervals_of_images(program, levels_array, {}, executor), spans), executor


def test_default_is_for_fine_ordered_levels_with_a_mixture() -> None:
    """A setting always wins; a stored model without the setting has none."""
    for settings, expected in (
        ({"levels": 256}, True),
        ({"levels": LOCAL_GAIN_LEVELS, "likelihood": "mixture"}, True),
        ({"levels": LOCAL_GAIN_LEVELS - 1, "likelihood": "mixture"}, False),
        ({"levels": 256, "likelihood": "categorical"}, False),
        ({"levels": 256, "local_gain": False}, False),
        ({"levels": 8, "likelihood": "mixture", "local_gain": True}, True),
    ):
        model = pt.build("pixelcnn", shape=(3, LOCAL_GAIN_ROWS, 4), preset="tiny", **settings)
        assert model.config.local_gain is expected, settings
    assert not pt.build("pixelcnn", shape=(3, LOCAL_GAIN_ROWS - 1, 40), preset="tiny").config.local_gain
    old = model.config.model_dump(mode="json")
    del old["local_gain"]
    assert not type(model.config).from_dict(old).local_gain


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("pixelcnn", {"levels": 8, "ordered": False}, "`local_gain` needs ordered levels"),
        ("pixelcnn", {"levels": 8, "likelihood": "categorical"}, "`likelihood` is 'categorical'"),
        ("parallel-multiscale", {"likelihood": "mixture"}, "which parallel-multiscale is not"),
        ("locally-masked-pixelcnn", {"likelihood": "mixture", "orders": "s-curve"}, "one raster scan"),
    ],
)
def test_models_without_neighbours_to_predict_from_are_rejected(name: str, settings: dict, message: str) -> None:
    """The message names what is missing, and what to do."""
    with pytest.raises(ConfigError, match=message):
        pt.build(name, shape=(3, 4, 4), preset="tiny", local_gain=True, **settings)


def test_a_stored_program_is_small_and_the_same(tmp_path: Path) -> None:
    """Its tables are not stored, and are computed when it is read: version 2 of the format."""
    settings = {"preset": "tiny", "likelihood": "mixture", "mixtures": 2, "local_gain": True}
    model = pt.build("pixelcnn", shape=(3, 7, 6), **settings)
    x = photograph()
    stored = save_integer_model(pt.quantize_integer(model, x), tmp_path)
    read = load_integer_model(tmp_path)
    assert json.loads((tmp_path / PROGRAM).read_text())["format_version"] == 2
    tables = stored.programs[0].head.tables
    assert (tmp_path / PROGRAM_TENSORS).stat().st_size < sum(table.nbytes for table in tables.values())
    for name, table in tables.items():
        assert np.array_equal(read.programs[0].head.tables[name], table)
    programs = (stored.programs[0], read.programs[0])
    assert np.array_equal(*(params_of_images(program, x.numpy(), {}) for program in programs))
