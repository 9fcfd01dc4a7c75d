"""The arithmetic of `handwritten_gated.py`: gates, products, draws."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = np.float32
Array = NDArray[np.float32]
FEW_ROWS = 1  # up to so many images, a product is cheaper without BLAS

# numpy's rule for division, for Python's would test every divisor for zero and so keep loops from being vectorised
compiled = njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
inlined = njit(cache=True, fastmath=True, inline="always", error_model="numpy")


@inlined
def ratio(x: float) -> tuple[float, float]:
    """Numerator and denominator of tanh(x) for |x| < 7.9: the rational function of degree 13 over 6 of Eigen."""
    z = x * x
    p = F(-2.76076847742355e-16) * z + F(2.00018790482477e-13)
    p = p * z + F(-8.60467152213735e-11)
    p = p * z + F(5.12229709037114e-08)
    p = p * z + F(1.48572235717979e-05)
    p = p * z + F(6.37261928875436e-04)
    p = p * z + F(4.89352455891786e-03)
    q = F(1.19825839466702e-06) * z + F(1.18534705686654e-04)
    q = q * z + F(2.26843463243900e-03)
    q = q * z + F(4.89352518554385e-03)
    return x * p, q


@compiled
def gate(pre: Array, bias: Array, out: Array) -> None:
    """out = tanh(a) sigmoid(b), with a and b the halves of `pre + bias`.

    sigmoid(b) = (1 + tanh(b / 2)) / 2, and both share one division; libm's functions would not be vectorised.
    """
    d, limit = out.shape[1], F(7.90531110763549805)
    for r in range(out.shape[0]):
        for j in range(d):
            a = min(limit, max(-limit, pre[r, j] + bias[j]))
            b = min(limit, max(-limit, F(0.5) * (pre[r, d + j] + bias[d + j])))
            top_a, bottom_a = ratio(a)
            top_b, bottom_b = ratio(b)
            out[r, j] = F(0.5) * top_a * (bottom_b + top_b) / (bottom_a * bottom_b)


@compiled
def add_product(x: Array, matrix: Array, out: Array) -> None:
    """out += x @ matrix for one vector: eight rows of the matrix at a time, so that `out` is seldom touched."""
    n, k = matrix.shape[0], 0
    while k + 8 <= n:
        a, b, c, d, e, f, g, h = x[k], x[k + 1], x[k + 2], x[k + 3], x[k + 4], x[k + 5], x[k + 6], x[k + 7]
        for j in range(matrix.shape[1]):
            out[j] += (
                a * matrix[k, j] + b * matrix[k + 1, j] + c * matrix[k + 2, j] + d * matrix[k + 3, j]
                + e * matrix[k + 4, j] + f * matrix[k + 5, j] + g * matrix[k + 6, j] + h * matrix[k + 7, j]
            )  # fmt: skip
        k += 8
    while k < n:
        for j in range(matrix.shape[1]):
            out[j] += x[k] * matrix[k, j]
        k += 1


@compiled
def add_products(x: Array, matrix: Array, out: Array) -> None:
    """out += x @ matrix, a row an image; `out` may have more columns than the matrix."""
    if len(x) <= FEW_ROWS:
        for r in range(len(x)):
            add_product(x[r], matrix, out[r])
    else:
        product = np.dot(x, matrix)
        for r in range(len(x)):
            for j in range(matrix.shape[1]):
                out[r, j] += product[r, j]


@inlined
def exponential(x: float) -> float:
    """exp(x) for x <= 0 to 2e-7, in a form that is vectorised: 2^n times the series of what is left."""
    x = max(x, F(-87))
    n = np.floor(x * F(1.44269504) + F(0.5))
    r = x - n * F(0.693359375) + n * F(2.12194440e-4)
    p = F(1.9875691e-4) * r + F(1.3981999e-3)
    p = p * r + F(8.3334519e-3)
    p = p * r + F(4.1665796e-2)
    p = p * r + F(0.16666665)
    p = p * r + F(0.5)
    return (p * r * r + r + F(1)) * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(F)


@compiled
def draw(logits: Array, uniform: float, chance: Array) -> int:
    """The smallest level whose cumulative probability exceeds the uniform, by softmax, or by sigmoid of one logit."""
    if logits.size == 1:
        return 1 if uniform >= 1 / (1 + np.exp(float(logits[0]))) else 0
    highest, total = logits.max(), F(0)
    for k in range(chance.size):
        chance[k] = exponential(logits[k] - highest)
        total += chance[k]
    target, reached = uniform * total, 0.0
    for k in range(chance.size):
        reached += chance[k]
        if reached > target:
            return k
    return chance.size - 1
