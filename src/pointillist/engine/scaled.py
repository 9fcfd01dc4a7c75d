"""Products of many probabilities as mantissa 2^exponent: they do not underflow, and have the same bits everywhere.

A product is rounded once, to float64, as IEEE 754 defines; the scaling by powers of two is exact. `runtime/solver.c`
computes the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

LOG_2 = math.log(2.0)


@dataclass
class Scaled:
    """Numbers of 0 or more.

    ```python
    weights = Scaled.ones(2)
    weights.multiply(np.array([0.25, 0.75]))
    weights.logs()  # of 0.25 and 0.75
    ```

    Attributes:
        mantissas: in [1/2, 1), or 0, `[n]`.
        exponents: `[n]`.
    """

    mantissas: Float[np.ndarray, " n"]
    exponents: Int[np.ndarray, " n"]

    @classmethod
    def ones(cls, count: int) -> Scaled:
        """Return 1, so many times."""
        return cls(np.full(count, 0.5), np.ones(count, np.int64))

    def __getitem__(self, part: slice) -> Scaled:
        """Return some of the numbers; the arrays are shared."""
        return Scaled(self.mantissas[part], self.exponents[part])

    def __len__(self) -> int:
        """Number of numbers."""
        return len(self.mantissas)

    def copy(self) -> Scaled:
        """Return a copy."""
        return Scaled(self.mantissas.copy(), self.exponents.copy())

    def reset(self) -> None:
        """Set all numbers to 1."""
        self.mantissas[:], self.exponents[:] = 0.5, 1

    def multiply(self, factors: NDArray[np.float64]) -> None:
        """Multiply by factors of 2^-900 to 2^900, or 0."""
        self.mantissas[:], shift = np.frexp(self.mantissas * factors)
        self.exponents[:] += shift

    def multiply_exp(self, logs: NDArray[np.float64]) -> None:
        """Multiply by exponentials of any logarithms."""
        whole = np.where(np.isfinite(logs), np.floor(logs / LOG_2), 0)
        self.multiply(np.exp(logs - whole * LOG_2))
        self.exponents[:] += whole.astype(np.int64)

    def multiply_scaled(self, other: Scaled) -> None:
        """Multiply by other numbers."""
        self.multiply(other.mantissas)
        self.exponents[:] += other.exponents

    def logs(self) -> Float[np.ndarray, " n"]:
        """Return the natural logarithms."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.mantissas) + self.exponents * LOG_2)

    def relative(self) -> Float[np.ndarray, " n"]:
        """Return the numbers over the power of two above the largest of them; all 0 if they are."""
        shift = (self.exponents - self.largest_exponent()).clip(-4096).astype(np.int32)
        return np.asarray(np.ldexp(self.mantissas, shift))

    def largest_exponent(self) -> int:
        """Return the exponent of the largest number; 0 if all are 0."""
        positive = self.exponents[self.mantissas > 0]
        return int(positive.max()) if len(positive) else 0
