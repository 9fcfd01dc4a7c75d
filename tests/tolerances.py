"""Tolerances of the tests, derived from the precision, the number of accumulated terms and the size of the operands.

Another processor sums in another order, so a result in floating point differs there by rounding. How much follows from
the operands of the sums. It does not follow from the result, which is small where large numbers cancel: a difference of
two likelihoods is as uncertain as the likelihoods are.

No test writes a tolerance as a bare number (`tests/tools/test_tolerances.py`): it calls a function of this file, or it
names a constant whose docstring gives the reason.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

CONFIDENCE = 6.0
"""Lambda of Higham & Mary 2019: a sum of n terms exceeds the bound with probability at most 2 n exp(-18)."""
DOUBLE = 1e-9
"""For results of networks and likelihoods in float64. Rounding moves them by less than 1e-11, and a wrong formula by
more than 1e-6."""
FORMULA = 1e-12
"""For one formula in float64: some hundred operations on numbers near 1 are wrong by less than 1e-13."""

ADAM = 2e-5
"""For weights after a few steps of Adam in float32. Adam divides a gradient by its size, so the rounding of one that is
nearly zero becomes a share of a step, 1e-3."""
BF16 = 2e-3
"""Relative, for the loss of a network in bfloat16: a factor keeps 8 bits, 4e-3, of which a mean keeps half."""

FIXED_POINT = 0.05
"""For mean errors of features of a hint or of known pixels in integers, whose mean square is 1. Up to eight layers
round their inputs and their weights to 8 bits."""


def rounding(*operands: Any, terms: float, dtype: torch.dtype | None = None) -> float:
    """Bound the difference of two values of one formula whose sums are taken in different orders, as an `atol`.

    A sum of n terms in precision eps is wrong by at most lambda sqrt(n) (eps / 2) times the sum of their magnitudes
    (Higham & Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41, theorem
    3.1), and both values are.

    ```python
    np.testing.assert_allclose(total, x.sum(), rtol=0, atol=rounding(abs(x).sum(), terms=x.size))
    ```

    Args:
        operands: arrays, tensors or numbers that enter the last operation; the largest counts.
        terms: number of terms on the longest way to the result.
        dtype: precision of the computation; None for that of the operands.
    """
    magnitude = max(float(abs(values).max()) for values in map(_array, operands) if values.size)
    return CONFIDENCE * math.sqrt(terms) * _eps(operands, dtype) * magnitude


def network_rounding(model: nn.Module, *operands: Any) -> float:
    """Bound the difference of two results of one network, in its precision, such as two log-likelihoods of an image.

    ```python
    a, b = model.log_prob(x, label), model.log_prob(x)
    np.testing.assert_allclose(gain, a - b, rtol=0, atol=network_rounding(model, a, b))
    ```

    Args:
        operands: see `rounding`.
    """
    return rounding(*operands, terms=network_terms(model), dtype=next(model.parameters()).dtype)


def network_terms(model: nn.Module) -> int:
    """Count the terms on the way from an image to its log-likelihood: the fan-in of each weight, and the sub-pixels."""
    fan_in = sum(weight[0].numel() for weight in model.parameters() if weight.ndim > 1)
    image = getattr(model, "image", None)
    return fan_in + (0 if image is None else math.prod(image.shape))


def standard_errors(count: float, chance: float, draws: int) -> float:
    """Return so many standard errors of the share of successes in independent draws."""
    return count * math.sqrt(chance * (1 - chance) / draws)


def printed(decimals: int) -> float:
    """Bound the difference of a number and its text of so many decimals."""
    return 0.5 * 10.0**-decimals


def _array(values: Any) -> np.ndarray:
    array: np.ndarray = np.asarray(values.detach().cpu().double() if isinstance(values, torch.Tensor) else values)
    return array.astype(np.float64)


def _eps(operands: tuple[Any, ...], dtype: torch.dtype | None) -> float:
    """The spacing of numbers near 1 of the given precision, or else of the coarsest operand's."""
    if dtype is not None:
        return float(torch.finfo(dtype).eps)
    dtypes = [values.dtype for values in operands if isinstance(values, torch.Tensor | np.ndarray | np.floating)]
    return max((float(np.finfo(str(dtype).removeprefix("torch.")).eps) for dtype in dtypes), default=2.0**-52)
