"""The inner loops of the virtual machine against numpy, and that a number's bits do not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray
from tests.tolerances import rounding

from pointillist.engine.cpu import vm
from pointillist.engine.cpu.bytecode import aligned
from pointillist.engine.cpu.jit import MAX_LANES, PANEL, lanes
from pointillist.engine.cpu.kernels.dequantize import STRIP
from pointillist.engine.cpu.kernels.elementwise import CODES, FUNCTIONS
from pointillist.engine.cpu.kernels.product import product as product_alone
from pointillist.engine.cpu.kernels.weight_packing import WeightFormat, panels, smallest

Array = NDArray[np.floating[Any]]


@njit  # type: ignore[untyped-decorator]
def pointwise(kind: int, s: Array, y: int, x: int, z: int, count: int) -> None:
    """Called from Python."""
    vm.pointwise(kind, s, y, x, z, count)


@njit  # type: ignore[untyped-decorator]
def product(
    s: Array, x: int, x_row: int, w: Array, y: int, y_row: int, z: int, z_row: int, rows: int, k: int, n: int,
    weight_format: int = 0, scales: int = 0, scratch: int = 0,
) -> None:  # fmt: skip
    """Called from Python, with a packed matrix at the start of `w`."""
    vm.matrix(s, (x, x_row), w, (0, 0, weight_format, scales, scratch), (y, y_row), (z, z_row), (rows, k, n))


REFERENCES: dict[str, Callable[[Array, Array], Array]] = {
    "COPY": lambda x, z: x,
    "ADD": lambda x, z: x + z,
    "MULTIPLY": lambda x, z: x * z,
    "TANH": lambda x, z: np.tanh(x),
    "SIGMOID": lambda x, z: (1 + np.tanh(x / 2)) / 2,
    "GATE": lambda x, z: np.tanh(x) * (1 + np.tanh(z / 2)) / 2,
    "RELU": lambda x, z: np.maximum(x, 0),
    "ELU": lambda x, z: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "GELU": lambda x, z: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
}
CLOSE = {"float32": 4e-7, "float64": 1e-14}


def test_every_function_has_a_reference() -> None:
    assert set(REFERENCES) == set(FUNCTIONS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_functions(name: str, dtype: str) -> None:
    """Ordinary and extreme numbers; a run of any length writes its own numbers only, with the same bits."""
    ordinary = np.random.default_rng(0).normal(size=150) * 4
    x = np.concatenate([ordinary, [0, -0.0, 1e-30, -1e-30, 7.9, -7.9, 20, -20, 1e4, -1e4, 87, -88]])
    z, n = x[::-1], len(x)
    s = aligned(4 * 200, np.dtype(dtype))
    s[200 : 200 + n], s[400 : 400 + n] = x, z
    pointwise(CODES[name], s, 0, 200, 400, n)
    expected = REFERENCES[name](s[200 : 200 + n].astype(float), s[400 : 400 + n].astype(float))
    # GELU takes a difference of numbers as large as its input
    assert (np.abs(s[:n] - expected) <= CLOSE[dtype] * np.maximum(np.abs(expected), np.maximum(1, np.abs(x)))).all()
    whole = s[:n].copy()
    for count in (1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 40):
        for start in (0, 1, 9):
            s[600:] = -1
            pointwise(CODES[name], s, 600, 200 + start, 400 + start, count)
            assert np.array_equal(s[600 : 600 + count], whole[start : start + count])
            assert (s[600 + count : 700] == -1).all()


@pytest.mark.parametrize("name", sorted(set(REFERENCES) - {"RELU"}))
def test_functions_keep_what_is_not_a_number(name: str) -> None:
    """A broken weight shows in the result."""
    s = aligned(48, np.dtype(np.float32))
    s[16:48] = np.nan
    pointwise(CODES[name], s, 0, 16, 32, 16)
    assert np.isnan(s[:16]).all()


@given(
    rows=st.integers(1, 14),
    k=st.integers(1, 40),
    n=st.integers(1, 200),
    gap=st.sampled_from([0, 3]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_products(rows: int, k: int, n: int, gap: int, dtype: str) -> None:
    """Any number of rows, terms and columns, rows with gaps; the rest of memory stays as it is."""
    random = np.random.default_rng(rows * k + n)
    matrix = random.normal(size=(k, n)).astype(dtype)
    packed = panels(matrix, lanes(matrix.itemsize))
    weights = aligned(packed.size, matrix.dtype)
    weights[: packed.size] = packed
    x_row, y_row = k + gap, n + gap
    x, y = 0, rows * x_row + 5
    z, end = y + rows * y_row, y + rows * (y_row + n)
    s = aligned(end + 40, matrix.dtype)
    s[:] = random.normal(size=s.size)
    before = s.copy()
    product(s, x, x_row, weights, y, y_row, z, n, rows, k, n)
    for row in range(rows):
        at = slice(y + row * y_row, y + row * y_row + n)
        source, start = before[row * x_row : row * x_row + k], before[z + row * n : z + row * n + n]
        expected = source.astype(float) @ matrix.astype(float) + start
        sizes = abs(source.astype(float)) @ abs(matrix.astype(float)) + abs(start)
        np.testing.assert_allclose(
            s[at], expected, rtol=0, atol=rounding(sizes, terms=k + 1, dtype=getattr(torch, dtype))
        )
        alone = before.copy()
        product(alone, row * x_row, 0, weights, at.start, 0, z + row * n, 0, 1, k, n)
        assert np.array_equal(alone[at], s[at]), "a row alone has other bits"
        before[at] = s[at]
    assert np.array_equal(before, s), "something else was written"


@given(
    rows=st.integers(1, 14),
    k=st.integers(1, 3 * STRIP),
    n=st.integers(1, 200),
    weight_format=st.sampled_from([WeightFormat.INT8, WeightFormat.BF16]),
)
def test_products_of_small_numbers(rows: int, k: int, n: int, weight_format: WeightFormat) -> None:
    """What is stored in one or two bytes gives the bits of the same matrix in four; nothing else is written."""
    assume(k > 1 or weight_format == WeightFormat.INT8)  # a single number is 1 times itself, which is int8
    random = np.random.default_rng(rows * k + n)
    matrix = random.integers(-127, 128, size=(k, n)) * np.exp(3 * random.normal(size=n)).astype(np.float32)
    if weight_format == WeightFormat.BF16:
        matrix = random.normal(size=(k, n)).astype(np.float32)
        matrix = (matrix.view(np.uint32) & 0xFFFF0000).view(np.float32)
        matrix[:2, 0] = 129 / 128, 1  # multiples of 1 / 128, but not by 127 at most
    matrix = (matrix if weight_format == WeightFormat.BF16 else _short(matrix)).astype(np.float32)
    found = smallest(matrix)
    assert found.weight_format == weight_format
    packed, small = (panels(m, lanes(4)).view(np.float32) for m in (matrix, found.numbers))
    assert small.nbytes * {WeightFormat.INT8: 4, WeightFormat.BF16: 2}[weight_format] == packed.nbytes
    y, z = rows * k, rows * (k + n)
    scales = -(-(z + n) // MAX_LANES) * MAX_LANES
    scratch = scales + -(-n // MAX_LANES) * MAX_LANES
    s = aligned(scratch + STRIP * PANEL * MAX_LANES, matrix.dtype)
    s[:] = random.normal(size=s.size)
    if found.scales is not None:
        s[scales : scales + n] = found.scales
    expected = s.copy()
    product(expected, 0, k, packed, y, n, z, 0, rows, k, n)
    product(s, 0, k, small, y, n, z, 0, rows, k, n, int(weight_format), scales, scratch)
    assert np.array_equal(expected[:scratch].view(np.int32), s[:scratch].view(np.int32))


def _short(matrix: Array) -> Array:
    """Whole numbers times scales of few bits, so that products are exact; the largest of each column is 127."""
    scale = (np.abs(matrix).max(axis=0) / 127 + 1e-6).astype(np.float32)
    scale = (scale.view(np.uint32) & 0xFFFFFF80).view(np.float32)
    whole = np.clip(np.rint(matrix / scale), -127, 127)
    whole[0] = 127
    result: Array = whole * scale
    return result


@given(m=st.integers(1, 9), k=st.integers(1, 40), n=st.integers(1, 150))
def test_a_product_by_the_machine_alone(m: int, k: int, n: int) -> None:
    """What `bench` measures is a matrix product, as often as it is called."""
    draws = np.random.default_rng([m, k, n])
    x, w = draws.standard_normal((m, k)).astype(np.float32), draws.standard_normal((k, n)).astype(np.float32)
    run = product_alone(x, w)
    for _ in range(2):
        np.testing.assert_allclose(run(), x @ w, rtol=0, atol=rounding(abs(x) @ abs(w), terms=k))
