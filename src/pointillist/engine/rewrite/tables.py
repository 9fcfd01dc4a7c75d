"""Integer tables of functions. They are computed once, stored in the program, and never computed anew elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 2.0**-8
"""Distance of the arguments in a table."""
REACH = 8
"""Largest argument of a table."""
GATE_BITS = 14
"""A gate's tables hold tanh and sigmoid times two to this power."""


def function_table(
    function: Callable[[NDArray[Any]], NDArray[Any]], unit: float, reach: int = REACH
) -> NDArray[np.int64]:
    """Tabulate a function at multiples of `STEP` from `-reach` to `reach`, in integers times `unit`.

    ```python
    function_table(np.tanh, 2.0**-14)[0]  # -16384
    ```
    """
    count = int(reach / STEP)
    arguments = np.arange(-count, count + 1) * STEP
    return np.floor(function(arguments) / unit + 0.5).astype(np.int64)
