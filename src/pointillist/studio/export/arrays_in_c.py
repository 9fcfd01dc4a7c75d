"""Arrays of numbers as C."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_A_LINE = 32


def array_in_c(declaration: str, values: NDArray[Any]) -> str:
    """Return a static array in C, some numbers a line; floats as their shortest decimals, which read back as they were.

    Example:
        array_in_c("const uint8_t values", np.arange(3))
    """
    numbers = np.asarray(values).reshape(-1).tolist()
    lines = [",".join(map(repr, numbers[at : at + _A_LINE])) for at in range(0, len(numbers), _A_LINE)]
    return f"static {declaration}[] = {{\n" + ",\n".join(lines) + "};"
