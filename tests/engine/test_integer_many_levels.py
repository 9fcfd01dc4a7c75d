"""Mixtures of many levels in integers: intervals without a table, of 257 to 65,536 levels, in every executor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.compression import compress, decompress
from pointillist.compression.models import as_integer_model
from pointillist.distributions.kinds import LIKELIHOODS, min_log_scale_of_gain
from pointillist.distributions.likelihoods import DiscretizedLogisticMixture
from pointillist.distributions.moments import entropy_and_variance, moments_of_frequencies
from pointillist.engine.c.run import frequencies_in_c
from pointillist.engine.head.frequencies import distribution, precision_of
from pointillist.engine.head.tables import mean_bits, standard_tables
from pointillist.engine.program import IntegerHead
from pointillist.errors import ArchiveError
from tests.portable.networks import integer_case
from tests.tolerances import rounding

CASES = ("thousand", "sixteen-bits")


def head_of(levels: int, channels: int, mixtures: int) -> IntegerHead:
    """A head with the scales of a local gain."""
    tables = standard_tables("mixture", levels, round(min_log_scale_of_gain(levels)))
    return IntegerHead("mixture", channels, levels, mixtures, precision_of(levels), dict(tables))


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_intervals_divide_all_places(data: st.DataObject) -> None:
    """Each level has one place or more, the last ends at 2^24, and the level of a number is the one that holds it."""
    levels = data.draw(st.sampled_from([257, 1000, 4097, 65_535, 65_536]))
    channels, mixtures = data.draw(st.sampled_from([1, 3])), data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    head = head_of(levels, channels, mixtures)
    spread = data.draw(st.sampled_from([1 << 8, 1 << 14, 1 << 22, 1 << 26]))  # also far beyond what a network says
    params = rng.integers(-spread, spread, (3, head.num_params), endpoint=True)
    pixel = rng.integers(0, levels, (3, channels))
    channel = channels - 1
    each = distribution(head, params, pixel, channel)
    frequencies = each.frequencies()
    assert frequencies.shape == (3, levels)
    assert frequencies.min() >= 1
    assert (frequencies.sum(1) == 1 << head.precision).all()
    ends = frequencies.cumsum(1)
    for level in (pixel[:, channel], np.zeros(3, int), np.full(3, levels - 1)):
        start, size = each.interval(level)
        assert (start == np.take_along_axis(ends - frequencies, level[:, None], 1)[:, 0]).all()
        assert (size == np.take_along_axis(frequencies, level[:, None], 1)[:, 0]).all()
        assert (each.level_at(start) == level).all()
        assert (each.level_at(start + size - 1) == level).all()
    tensors = IntegerHead(*(getattr(head, name) for name in ("kind", "channels", "levels", "mixtures", "precision")),
                          {name: torch.from_numpy(table.copy()) for name, table in head.tables.items()})  # fmt: skip
    other = distribution(tensors, torch.from_numpy(params), torch.from_numpy(pixel), channel)
    assert (other.interval(torch.from_numpy(pixel[:, channel]))[0].numpy() == each.interval(pixel[:, channel])[0]).all()


@pytest.mark.parametrize("name", ["grey16", "photos"])
@pytest.mark.parametrize("spread", [1 << 8, 1 << 11, 1 << 14, 1 << 17, 1 << 22])
def test_the_library_skips_levels_where_no_component_rises(name: str, spread: int) -> None:
    """The frequencies of all levels are the same in C and in numpy, for components anywhere and of any width."""
    program, rng = as_integer_model(name).programs[0], np.random.default_rng(0)
    head, count = program.head, 4 if name == "grey16" else 50
    params = rng.integers(-spread, spread, (count, head.num_params)).astype(np.int32)
    pixels = rng.integers(0, head.levels, (count, head.channels))
    for channel in range(head.channels):
        expected = distribution(head, params, pixels, channel).frequencies()
        np.testing.assert_array_equal(frequencies_in_c(program, params, pixels, channel), expected)


def test_moments_count_the_levels_that_have_one_place() -> None:
    """Equal to the sums over all levels, up to the rounding of sums in float64."""
    head = head_of(1000, 1, 3)
    params = np.random.default_rng(0).integers(-(1 << 14), 1 << 14, (5, head.num_params))
    frequencies = distribution(head, params, np.zeros((5, 1), np.int64), 0).frequencies()
    assert (frequencies == 1).sum() > 1000
    expected = entropy_and_variance((frequencies / 2.0**head.precision).T[None, :, None])
    for actual, each in zip(moments_of_frequencies(frequencies, head.precision), expected, strict=True):
        np.testing.assert_allclose(actual, each[0, 0], rtol=0, atol=rounding(actual, terms=1000))


@pytest.mark.parametrize("levels", [1000, 65_536])
@pytest.mark.parametrize("scale", [0.02, 1.0, 50.0])
def test_the_integers_are_near_the_mixture(levels: int, scale: float) -> None:
    """Around any level, from a fiftieth of a level to fifty: the cost is that of the formula in float64."""
    head = head_of(levels, 1, 2)
    likelihood = DiscretizedLogisticMixture(1, levels, 2, min_log_scale=min_log_scale_of_gain(levels))
    rng, step = np.random.default_rng(0), 2 / (levels - 1)
    centres = rng.integers(levels // 8, 7 * levels // 8, 400)
    x = (centres + np.rint(rng.logistic(0, scale, 400))).clip(0, levels - 1).astype(np.int64)
    means = np.stack([centres, centres + 1]) * step - 1
    params = np.concatenate([np.zeros((2, 400)), means, np.full((2, 400), np.log(scale * step))])
    units = np.array([2.0**-8, 2.0**-8, *2 * [2.0 ** -mean_bits(levels)], 2.0**-8, 2.0**-8])
    integers = np.rint(params / units[:, None]).astype(np.int64).T
    sizes = distribution(head, integers, x[:, None], 0).interval(x)[1]
    exact = likelihood.log_prob(torch.from_numpy(params)[None, :, None], torch.from_numpy(x)[None, None, None])
    cost = -np.log2(sizes / 2.0**head.precision).mean() + float(exact.mean()) / np.log(2)
    assert abs(cost) < 0.012 + levels / 2.0**head.precision * 2


@pytest.mark.parametrize("name", CASES)
def test_flipped_bits_and_cuts_are_found(name: str) -> None:
    """Never other pixels: every bit of the content, and any length."""
    _, integer_model, x = integer_case(name)
    archive = compress(integer_model, x)
    assert np.array_equal(decompress(archive, integer_model), x.numpy())
    for position in range(0, 8 * len(archive), 3):
        damaged = bytearray(archive)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(ArchiveError):
            decompress(bytes(damaged), integer_model)
    for length in range(len(archive)):
        with pytest.raises(ArchiveError):
            decompress(archive[:length], integer_model)


def test_only_few_levels_have_a_table() -> None:
    """A mixture of 256 levels keeps the frequencies of earlier versions of the format."""
    assert LIKELIHOODS["mixture"].max_table == 256
    assert head_of(256, 1, 2).has_table
    assert not head_of(257, 1, 2).has_table
