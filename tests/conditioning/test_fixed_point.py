"""Layers over prompts in integers: against the formulas in float64, within the bound of their rounding."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointillist.conditioning.portable import (
    BITS,
    LIMIT,
    SIGMOID,
    WEIGHT_BITS,
    StoredWeights,
    from_fixed,
    silu,
    to_fixed,
)
from tests.tolerances import FORMULA

HALF = 2.0 ** -(BITS + 1)
"""Half a step of a number."""


@given(seed=st.integers(0, 2**32), inputs=st.sampled_from([1, 3, 64, 512]), scale=st.sampled_from([0.01, 1.0, 40.0]))
def test_a_linear_layer(seed: int, inputs: int, scale: float) -> None:
    """Rounding of the inputs, the weights, the bias and the result adds up."""
    rng = np.random.default_rng(seed)
    x, bias = rng.uniform(-1, 1, inputs) * scale, rng.normal(size=5)
    weight = rng.uniform(-1, 1, (5, inputs)).astype(np.float32)
    layer = StoredWeights({"out.weight": weight, "out.bias": bias})
    error = inputs * HALF + abs(x).sum() * 2.0 ** -(WEIGHT_BITS + 1) + 2 * HALF
    assert (abs(from_fixed(layer.linear("out", to_fixed(x))) - (weight @ x + bias)) <= error + FORMULA).all()


@given(x=st.floats(-80, 80))
def test_silu(x: float) -> None:
    """A secant of the sigmoid is wrong by at most h^2 / 8 times its second derivative, which is below 0.1."""
    value = np.clip(x, -LIMIT / 2.0**BITS, LIMIT / 2.0**BITS)
    secant = 2.0**-16 / 8 * 0.1 + np.exp(-16)
    error = abs(value) * (secant + 2.0**-23) + 4 * HALF
    assert abs(from_fixed(silu(to_fixed(np.array([x]))))[0] - value / (1 + np.exp(-value))) <= error


@given(seed=st.integers(0, 2**32), inputs=st.integers(1, 600))
def test_sums_do_not_depend_on_their_order(seed: int, inputs: int) -> None:
    """The bits are the same for any permutation of the inputs."""
    rng = np.random.default_rng(seed)
    x, weight, order = to_fixed(rng.normal(size=inputs)), rng.normal(size=(3, inputs)), rng.permutation(inputs)
    layer, other = (StoredWeights({"out.weight": w, "out.bias": np.zeros(3)}) for w in (weight, weight[:, order]))
    assert np.array_equal(layer.linear("out", x), other.linear("out", x[order]))


@pytest.mark.parametrize("index", range(0, len(SIGMOID), 64))
def test_the_table_is_rounded_as_any_library_rounds_it(index: int) -> None:
    """Each entry is the nearest integer."""
    with localcontext() as context:
        context.prec = 40
        exact = 2**24 / (1 + (-Decimal(index - len(SIGMOID) // 2) / 256).exp())
    assert abs(exact - int(SIGMOID[index])) <= Decimal(1) / 2


def test_no_entry_lies_near_a_half() -> None:
    """All by 1000 times the rounding of float64."""
    numbers = 2.0**24 / (1 + np.exp(-(np.arange(len(SIGMOID)) - len(SIGMOID) // 2) / 256))
    assert abs(numbers - np.floor(numbers) - 0.5).min() > 1000 * np.spacing(2.0**24)
