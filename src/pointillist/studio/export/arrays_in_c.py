"""Arrays of numbers, and texts, as C."""

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
    array = np.asarray(values).reshape(-1)
    suffix = "u" if array.dtype == np.uint64 else ""
    numbers = [f"{number!r}{suffix}" for number in array.tolist()]
    lines = [",".join(numbers[at : at + _A_LINE]) for at in range(0, len(numbers), _A_LINE)]
    return f"static {declaration}[] = {{\n" + ",\n".join(lines) + "};"


def text_in_c(text: str) -> str:
    """Return a text as a literal of C: what is not ASCII is UTF-8 in octal.

    Example:
        text_in_c("é")  # "\\303\\251", in quotes
    """
    return f'"{"".join(map(_letter, text.encode()))}"'


def _letter(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
