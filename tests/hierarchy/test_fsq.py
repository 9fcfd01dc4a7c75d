"""Finite scalar quantisation: ids and vectors are one to one, and gradients pass."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.errors import ConfigError
from pointillist.hierarchy.tokenizers.fsq import FSQ
from tests.equality import equal
from tests.tolerances import FORMULA

LEVELS = st.lists(st.integers(2, 9), min_size=1, max_size=4).map(tuple)


@given(LEVELS)
def test_ids_and_vectors_are_one_to_one(levels: tuple[int, ...]) -> None:
    """Every id has a vector of its own in [-1, 1], which is its own nearest vector."""
    fsq = FSQ(levels)
    ids = torch.arange(fsq.size).reshape(1, 1, 1, -1)
    for dtype in (torch.float32, torch.float64):
        vectors = fsq.vectors(ids, dtype)
        assert vectors.abs().max() <= 1
        assert equal(fsq.ids(vectors), ids)
        assert equal(fsq.nearest(vectors), vectors)
        assert equal(fsq.ids(fsq.nearest(vectors + 0.3 / max(levels))), ids)


@given(LEVELS, st.sampled_from([0.01, 1.0, 100.0]))
def test_quantised_numbers_are_vectors_of_codes(levels: tuple[int, ...], spread: float) -> None:
    """Whatever is quantised, also far outside, is the vector of an id; every scale can be reached."""
    fsq = FSQ(levels)
    z = torch.randn(2, len(levels), 5, 7) * spread
    vectors = fsq.quantize(z)
    assert equal(fsq.vectors(fsq.ids(vectors)), vectors)
    line = torch.linspace(-20, 20, 2001)[None, None, None].expand(1, len(levels), 1, -1)
    for number, count in zip(fsq.quantize(line)[0], levels, strict=True):
        assert len(number.unique()) == count
        assert (number.diff() >= 0).all()


@given(LEVELS)
def test_the_gradient_is_that_of_the_bound(levels: tuple[int, ...]) -> None:
    """Straight through: rounding counts as the identity."""
    fsq = FSQ(levels)
    z = torch.randn(1, len(levels), 3, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(z)
    (through,) = torch.autograd.grad((fsq.quantize(z) * weights).sum(), z)
    scale = torch.tensor([n // 2 for n in levels])[None, :, None, None]
    (expected,) = torch.autograd.grad((fsq.bound(z) / scale * weights).sum(), z)
    torch.testing.assert_close(through, expected, rtol=FORMULA, atol=FORMULA)
    assert through.abs().min() > 0


def test_numbers_of_the_paper() -> None:
    """Figure 2 of Mentzer et al.: the id of a vector, least significant number first."""
    fsq = FSQ((3, 5, 4))
    assert fsq.size == 60
    vector = torch.tensor([1.0, -1.0, 0.5]).reshape(1, 3, 1, 1)
    assert int(fsq.ids(vector)) == 2 + 3 * 0 + 15 * 3


@pytest.mark.parametrize("levels", [(), (1, 8), (256, 257)])
def test_impossible_levels(levels: tuple[int, ...]) -> None:
    """One sentence names the rule."""
    with pytest.raises(ConfigError, match="`levels`"):
        FSQ(levels)
