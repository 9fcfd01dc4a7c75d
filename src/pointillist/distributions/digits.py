"""The two digits of a factored level. Needs no torch."""

from __future__ import annotations

import math


def digits(levels: int) -> tuple[int, int, int]:
    """Return the high digits, the low digits, and how many low digits the last high digit has.

    ```python
    digits(65_536)  # (256, 256, 256)
    digits(10)  # (3, 4, 2): levels 8 and 9 have the high digit 2
    ```
    """
    low = math.isqrt(levels - 1) + 1
    high = -(-levels // low)
    return high, low, levels - (high - 1) * low
