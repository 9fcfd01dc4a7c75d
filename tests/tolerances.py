"""Tolerances of the tests, derived from the precision, the number of accumulated terms and the size of the operands.

Another processor sums in another order, so a result in floating point differs there by rounding. How much follows from
the operands of the sums. It does not follow from the result, which is small where large numbers cancel: a difference of
two likelihoods is as uncertain as the likelihoods are.

No test writes a tolerance as a bare number (`tests/test_tolerances.py`): it calls `rounding`, or it names a constant
whose docstring gives the reason.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

CONFIDENCE = 6.0
"""Lambda of Higham & Mary 2019: a sum of n terms exceeds the bound with probability at most 2 n exp(-18)."""


def rounding(*operands: Any, terms: float, dtype: torch.dtype | None = None) -> float:
    """Bound the difference of two values of one formula whose sums are taken in different orders, as an `atol`.

    A sum of n terms in precision eps is wrong by at most lambda sqrt(n) (eps / 2) times the sum of their magnitudes
    (Higham & Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41, theorem
    3.1), and both values are.

    ```python
    a, b = model.log_prob(x, label), model.log_prob(x)
    np.testing.assert_allclose(gain, a - b, rtol=0, atol=rounding(a, b, terms=network_terms(model, x)))
    ```

    Args:
        operands: arrays, tensors or numbers that enter the last operation; the largest counts.
        terms: number of terms on the longest way to the result.
        dtype: precision of the computation; None for that of the operands.
    """
    magnitude = max(float(abs(values).max()) for values in map(_array, operands) if values.size)
    return CONFIDENCE * math.sqrt(terms) * _eps(operands, dtype) * magnitude


def network_terms(model: nn.Module, x: Any = None) -> int:
    """Count the terms on the way from a canvas to the log-likelihood of an image: the fan-in of each weight, in turn.

    Args:
        model: a network, or a model with one.
        x: images `[n, c, h, w]`, over whose sub-pixels the log-likelihood sums; None for outputs at one pixel.
    """
    fan_in = sum(weight[0].numel() for weight in model.parameters() if weight.ndim > 1)
    return fan_in + (0 if x is None else math.prod(x.shape[1:]))


def _array(values: Any) -> np.ndarray:
    array: np.ndarray = np.asarray(values.detach().cpu().double() if isinstance(values, torch.Tensor) else values)
    return array.astype(np.float64)


def _eps(operands: tuple[Any, ...], dtype: torch.dtype | None) -> float:
    """The spacing of numbers near 1 of the given precision, or else of the coarsest operand's."""
    if dtype is not None:
        return float(torch.finfo(dtype).eps)
    dtypes = [values.dtype for values in operands if isinstance(values, torch.Tensor | np.ndarray | np.floating)]
    return max((float(np.finfo(str(dtype).removeprefix("torch.")).eps) for dtype in dtypes), default=2.0**-52)
